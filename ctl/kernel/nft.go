package kernel

import (
	"fmt"

	"github.com/google/nftables"
)

// dropPriority comes before anything that a distribution or a user hooks in.
const dropPriority = -500

// tableName names the table of one device, so that two daemons in one namespace
// do not undo each other's.
func tableName(device string) string { return "sluice-" + device }

// dropIngress makes the kernel drop every frame that comes in on the device,
// ARP included. Packet sockets have their copy by then.
func dropIngress(device string) error {
	err := nftBatch(func(c *nftables.Conn) {
		policy := nftables.ChainPolicyDrop
		c.AddChain(&nftables.Chain{
			Name:     "ingress",
			Table:    replaceTable(c, device),
			Type:     nftables.ChainTypeFilter,
			Hooknum:  nftables.ChainHookIngress,
			Priority: nftables.ChainPriorityRef(dropPriority),
			Policy:   &policy,
			Device:   device,
		})
	})
	if err != nil {
		return fmt.Errorf("install nftables ingress drop: %s: %w: does the kernel have nf_tables with netdev ingress?", device, err)
	}
	return nil
}

// allowIngress undoes dropIngress; it succeeds when there is nothing to undo.
func allowIngress(device string) error {
	err := nftBatch(func(c *nftables.Conn) { c.DelTable(replaceTable(c, device)) })
	if err != nil {
		return fmt.Errorf("remove nftables table: %s: %w: try nft delete table netdev %s", device, err, tableName(device))
	}
	return nil
}

// replaceTable queues an empty table, whether there was one or not: a table
// that is added may exist, one that is deleted must.
func replaceTable(c *nftables.Conn, device string) *nftables.Table {
	table := &nftables.Table{Family: nftables.TableFamilyNetdev, Name: tableName(device)}
	c.AddTable(table)
	c.DelTable(table)
	return c.AddTable(table)
}

// nftBatch applies what change queues, all or nothing.
func nftBatch(change func(*nftables.Conn)) error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	change(c)
	return c.Flush()
}
