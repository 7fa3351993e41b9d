package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/config"
	"github.com/sluice-lb/sluice/ctl/kernel"
	"github.com/sluice-lb/sluice/ctl/server"
	"github.com/sluice-lb/sluice/dpdk"
)

func cleanCommand(file *string) *cobra.Command {
	return &cobra.Command{
		Use:   "clean",
		Short: "Undo what a daemon that has ended left behind",
		Long: "clean gives interfaces back to the kernel as they were, and removes twins and files: what\n" +
			"a daemon leaves on purpose with kernel.keep_twins, and any daemon when it is killed. The next\n" +
			"start does so as well, as far as it does not need these things itself.",
		Example: "  sluiced clean --config /etc/sluice/sluice.yaml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("clean: %s: an argument where none belongs: name the configuration file by --config %s", args[0], args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(*file, nil)
			if err != nil {
				return err
			}
			return clean(c)
		},
	}
}

// clean refuses while a daemon lives, which holds the control socket, or another
// one on the same interfaces.
func clean(c *config.Config) error {
	mode, _ := strconv.ParseUint(c.Control.Mode, 8, 32) // validated
	control, err := server.Listen(c.Control.Socket, fs.FileMode(mode), c.Control.Group)
	if err != nil {
		return fmt.Errorf("clean: %w", err)
	}
	defer control.Close()
	claims, err := claim(c)
	if err != nil {
		return fmt.Errorf("clean: %w", err)
	}
	defer func() { _ = claims.release() }()
	if err := kernel.Recover(undoFile(c), newLog(c.Log)); err != nil {
		return err
	}
	if err := dpdk.SweepStale(prefixOf(c)); err != nil {
		return err
	}
	_ = os.Remove(c.RunDir) // fails, rightly, while there is something else in it
	return nil
}

// undoFile is where the kernel path writes down what has to be undone.
func undoFile(c *config.Config) string { return filepath.Join(c.RunDir, "undo.json") }

// left says what a daemon that ended well has left.
func left(c *config.Config) string {
	if c.Kernel.KeepTwins {
		return "twins and silenced devices, by kernel.keep_twins"
	}
	return "nothing"
}
