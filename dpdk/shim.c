#include <dlfcn.h>
#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <rte_alarm.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_version.h>

#include "shim.h"

/* Soname of DPDK 22.11 and its updates; mirrors of its structs bind us to it. */
#define SLUICE_DPDK_ABI "23"

const char *sluice_version(void) { return rte_version(); }
const char *sluice_runtime_dir(void) { return rte_eal_get_runtime_dir(); }
int sluice_has_hugepages(void) { return rte_eal_has_hugepages(); }
int sluice_lcore_id(void) { return (int)rte_lcore_id(); }

/* How many receive queues an interface uses (`ethtool -l`), 1 if it does not tell. */
int sluice_rx_channels(int fd, const char *iface)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq req = {.ifr_data = (void *)&channels};
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", iface);
	if (ioctl(fd, SIOCETHTOOL, &req) < 0)
		return 1;
	int n = (int)(channels.rx_count + channels.combined_count);
	return n > 0 ? n : 1;
}

void *sluice_pool_new(const char *name, unsigned n, unsigned cache, uint16_t room, int socket, int *err)
{
	struct rte_mempool *mp = rte_pktmbuf_pool_create(name, n, cache, 0, room, socket);
	*err = mp == NULL ? rte_errno : 0;
	return mp;
}

void sluice_pool_free(void *pool) { rte_mempool_free(pool); }
unsigned sluice_pool_in_use(void *pool) { return rte_mempool_in_use_count(pool); }

static int alloc(void *arg)
{
	struct sluice_burst *b = arg;
	b->bufs[0] = (uintptr_t)rte_pktmbuf_alloc(b->pool);
	return 0;
}

static int free_burst(void *arg)
{
	struct sluice_burst *b = arg;
	rte_pktmbuf_free_bulk((struct rte_mbuf **)b->bufs, b->n);
	return 0;
}

int sluice_probe(const char *devargs, uint16_t *port)
{
	struct rte_dev_iterator it;
	uint16_t id;
	int rc = rte_dev_probe(devargs);
	if (rc < 0 && rc != -EEXIST) /* EAL probes PCI devices as it starts */
		return rc;
	RTE_ETH_FOREACH_MATCHING_DEV(id, devargs, &it) {
		*port = id;
		rte_eth_iterator_cleanup(&it);
		return 0;
	}
	return -ENODEV;
}

int sluice_limits_get(uint16_t port, struct sluice_limits *l)
{
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(port, &info);
	if (rc < 0)
		return rc;
	memset(l, 0, sizeof(*l));
	snprintf(l->driver, sizeof(l->driver), "%s", info.driver_name);
	l->rx_queues = info.max_rx_queues;
	l->tx_queues = info.max_tx_queues;
	l->min_mtu = info.min_mtu;
	l->max_mtu = info.max_mtu;
	if (info.max_mtu == UINT16_MAX && info.max_rx_pktlen < UINT16_MAX) /* as ethdev counts */
		l->max_mtu = info.max_rx_pktlen - RTE_ETHER_HDR_LEN - RTE_ETHER_CRC_LEN;
	l->reta_size = info.reta_size;
	if (info.flow_type_rss_offloads != 0)
		l->rss_key_size = info.hash_key_size != 0 ? info.hash_key_size : SLUICE_RSS_KEY;
	l->socket = rte_eth_dev_socket_id(port);
	return 0;
}

/* The 4-tuples that the workers' owner function hashes too. */
#define SLUICE_RSS_TYPES                                                                   \
	(RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |                     \
	 RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP)

static int rss_conf(uint16_t port, uint8_t *key, uint8_t size, struct rte_eth_rss_conf *c)
{
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(port, &info);
	c->rss_key = key;
	c->rss_key_len = size;
	c->rss_hf = SLUICE_RSS_TYPES & info.flow_type_rss_offloads;
	return rc;
}

int sluice_configure(uint16_t port, struct sluice_conf *c)
{
	struct rte_eth_conf conf = {0}; /* zero: no offload of any kind */
	conf.rxmode.mtu = c->mtu;
	if (c->rss_key_size != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		int rc = rss_conf(port, c->rss_key, c->rss_key_size, &conf.rx_adv_conf.rss_conf);
		if (rc < 0)
			return rc;
	}
	return rte_eth_dev_configure(port, c->queues, c->queues, &conf);
}

int sluice_queues(uint16_t port, struct sluice_conf *c, void *pool)
{
	struct rte_eth_dev_info info;
	int socket = rte_eth_dev_socket_id(port);
	int rc = rte_eth_dev_info_get(port, &info);
	if (rc < 0)
		return rc;
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(port, &c->rx_ring, &c->tx_ring);
	info.default_rxconf.offloads = 0;
	info.default_txconf.offloads = 0;
	for (uint16_t q = 0; rc == 0 && q < c->queues; q++) {
		rc = rte_eth_rx_queue_setup(port, q, c->rx_ring, socket, &info.default_rxconf, pool);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(port, q, c->tx_ring, socket, &info.default_txconf);
	}
	return rc;
}

int sluice_set_mtu(uint16_t port, uint16_t mtu) { return rte_eth_dev_set_mtu(port, mtu); }
int sluice_get_mtu(uint16_t port, uint16_t *mtu) { return rte_eth_dev_get_mtu(port, mtu); }
int sluice_allmulticast(uint16_t port) { return rte_eth_allmulticast_enable(port); }
int sluice_promiscuous(uint16_t port) { return rte_eth_promiscuous_enable(port); }
int sluice_start(uint16_t port) { return rte_eth_dev_start(port); }
int sluice_stop(uint16_t port) { return rte_eth_dev_stop(port); }

/* A table larger than ours repeats it, so that hash mod 128 still decides. */
int sluice_reta_set(uint16_t port, uint16_t size, uint16_t queues)
{
	struct rte_eth_rss_reta_entry64 reta[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE];
	if (size > RTE_ETH_RSS_RETA_SIZE_512)
		return -E2BIG;
	memset(reta, 0, sizeof(reta));
	for (uint16_t i = 0; i < size; i++) {
		struct rte_eth_rss_reta_entry64 *group = &reta[i / RTE_ETH_RETA_GROUP_SIZE];
		group->mask |= UINT64_C(1) << (i % RTE_ETH_RETA_GROUP_SIZE);
		group->reta[i % RTE_ETH_RETA_GROUP_SIZE] = i % SLUICE_RSS_SLOTS % queues;
	}
	return rte_eth_dev_rss_reta_update(port, reta, size);
}

/* Some drivers (net_null) ignore the key that they are configured with. */
int sluice_rss_key_set(uint16_t port, uint8_t key[64], uint8_t size)
{
	struct rte_eth_rss_conf conf = {0};
	int rc = rss_conf(port, key, size, &conf);
	return rc < 0 ? rc : rte_eth_dev_rss_hash_update(port, &conf);
}

int sluice_rss_key_get(uint16_t port, uint8_t key[64], uint8_t size)
{
	struct rte_eth_rss_conf conf = {.rss_key = key, .rss_key_len = size};
	return rte_eth_dev_rss_hash_conf_get(port, &conf);
}

int sluice_mac(uint16_t port, uint8_t mac[6])
{
	return rte_eth_macaddr_get(port, (struct rte_ether_addr *)mac);
}

int sluice_link_up(uint16_t port)
{
	struct rte_eth_link link;
	int rc = rte_eth_link_get_nowait(port, &link);
	return rc < 0 ? rc : link.link_status == RTE_ETH_LINK_UP;
}

int sluice_stats_get(uint16_t port, struct sluice_stats *s)
{
	struct rte_eth_stats e;
	int rc = rte_eth_stats_get(port, &e);
	if (rc < 0)
		return rc;
	*s = (struct sluice_stats){
		.rx_packets = e.ipackets, .tx_packets = e.opackets,
		.rx_bytes = e.ibytes, .tx_bytes = e.obytes,
		.rx_missed = e.imissed, .rx_errors = e.ierrors,
		.tx_errors = e.oerrors, .rx_no_buf = e.rx_nombuf,
	};
	return 0;
}

/*
 * The bond driver is a plug-in: EAL has loaded it, but its functions are not
 * linked. RTLD_NOLOAD finds it by its soname.
 */
int sluice_bond_use(uint16_t bond, uint16_t member)
{
	static int (*primary_set)(uint16_t, uint16_t);
	if (primary_set == NULL) {
		void *lib = dlopen("librte_net_bond.so." SLUICE_DPDK_ABI, RTLD_LAZY | RTLD_NOLOAD);
		if (lib == NULL)
			return -ENOENT;
		*(void **)&primary_set = dlsym(lib, "rte_eth_bond_primary_set");
	}
	return primary_set == NULL ? -ENOENT : primary_set(bond, member);
}

/*
 * net_memif hears of its peer on EAL's interrupt thread, without a lock: a port
 * that is closed on another thread while its peer goes away frees twice. Alarms
 * run on that thread, too.
 */
struct closing {
	uint16_t port;
	int rc;
	sem_t done;
};

static void close_now(void *arg)
{
	struct closing *c = arg;
	c->rc = rte_eth_dev_stop(c->port);
	if (c->rc == 0)
		c->rc = rte_eth_dev_close(c->port);
	sem_post(&c->done);
}

static int close_on_interrupts(uint16_t port)
{
	struct closing c = {.port = port};
	sem_init(&c.done, 0, 0);
	int rc = rte_eal_alarm_set(1, close_now, &c);
	if (rc == 0) {
		while (sem_wait(&c.done) < 0) /* EINTR: Go's signals */
			;
		rc = c.rc;
	}
	sem_destroy(&c.done);
	return rc;
}

int sluice_detach(uint16_t port, int on_interrupts)
{
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(port, &info);
	if (rc == 0) /* the device must be known before its port is gone */
		rc = on_interrupts ? close_on_interrupts(port) : rte_eth_dev_close(port);
	return rc < 0 ? rc : rte_dev_remove(info.device);
}

/*
 * The first buffers and headers are on their way into the cache when the worker
 * comes to them, and there it loads the others: drivers that only pass pointers on
 * (net_ring, net_pcap) have touched neither.
 */
static int rx(void *arg)
{
	struct sluice_burst *b = arg;
	struct rte_mbuf **bufs = (struct rte_mbuf **)b->bufs;
	uint16_t n = rte_eth_rx_burst(b->port, b->queue, bufs, SLUICE_BURST);
	for (uint16_t i = 0; i < n && i < SLUICE_AHEAD; i++) {
		rte_prefetch0(bufs[i]);
		rte_prefetch0((char *)bufs[i] + SLUICE_FRAME);
	}
	return n;
}

static int tx(void *arg)
{
	struct sluice_burst *b = arg;
	struct rte_mbuf **bufs = (struct rte_mbuf **)b->bufs;
	uint16_t sent = rte_eth_tx_burst(b->port, b->queue, bufs, b->n);
	if (sent < b->n)
		rte_pktmbuf_free_bulk(bufs + sent, b->n - sent);
	return sent;
}

/*
 * A bond in LACP mode says its own words within a transmit burst, which it must
 * get every 100 ms, also when there is nothing to transmit.
 */
static int rx_lacp(void *arg)
{
	struct sluice_burst *b = arg;
	rte_eth_tx_burst(b->port, b->queue, (struct rte_mbuf **)b->bufs, 0);
	return rx(arg);
}

const struct sluice_calls sluice_calls = {
	.rx = rx, .rx_lacp = rx_lacp, .tx = tx, .alloc = alloc, .free = free_burst,
};
