/*
 * The one door between Go and DPDK: plain C types on this side, DPDK's types
 * only in shim.c. Functions return 0 or a count, or a negative errno.
 *
 * A burst is passed as uintptr_t *, not void **: the memory holds no Go pointers.
 */
#ifndef SLUICE_SHIM_H
#define SLUICE_SHIM_H

#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf_core.h>

/* What package packet mirrors; mirror.go compares when it is compiled. */
enum {
	SLUICE_BURST = 64,
	SLUICE_HEADROOM = RTE_PKTMBUF_HEADROOM,
	SLUICE_MAX_LCORE = RTE_MAX_LCORE,
	SLUICE_MAX_CACHE = RTE_MEMPOOL_CACHE_MAX_SIZE,
	SLUICE_RSS_KEY = 40,  /* bytes that decide over an IPv6 4-tuple: 36 + 4 */
	SLUICE_RSS_SLOTS = 128, /* slots of our owner table */
	SLUICE_XDP_FILL = 2048, /* net_af_xdp: ETH_AF_XDP_DFLT_NUM_DESCS, which is private */

	SLUICE_AHEAD = 16, /* frames that are loaded before the worker comes to them */
	SLUICE_FRAME = sizeof(struct rte_mbuf) + RTE_PKTMBUF_HEADROOM, /* where a received frame begins */
	SLUICE_MBUF_SIZE = sizeof(struct rte_mbuf),
	SLUICE_MBUF_ADDR = offsetof(struct rte_mbuf, buf_addr),
	SLUICE_MBUF_DATA_OFF = offsetof(struct rte_mbuf, data_off),
	SLUICE_MBUF_REFCNT = offsetof(struct rte_mbuf, refcnt),
	SLUICE_MBUF_NB_SEGS = offsetof(struct rte_mbuf, nb_segs),
	SLUICE_MBUF_PORT = offsetof(struct rte_mbuf, port),
	SLUICE_MBUF_OL_FLAGS = offsetof(struct rte_mbuf, ol_flags),
	SLUICE_MBUF_PKT_LEN = offsetof(struct rte_mbuf, pkt_len),
	SLUICE_MBUF_DATA_LEN = offsetof(struct rte_mbuf, data_len),
	SLUICE_MBUF_VLAN_TCI = offsetof(struct rte_mbuf, vlan_tci),
	SLUICE_MBUF_RSS_HASH = offsetof(struct rte_mbuf, hash.rss),
	SLUICE_MBUF_BUF_LEN = offsetof(struct rte_mbuf, buf_len),
	SLUICE_MBUF_POOL = offsetof(struct rte_mbuf, pool),
	SLUICE_MBUF_RX_RSS_HASH = RTE_MBUF_F_RX_RSS_HASH,
};

/* process */
const char *sluice_version(void);
const char *sluice_runtime_dir(void);
int sluice_has_hugepages(void);
int sluice_lcore_id(void);

/* log: to stderr, or into a buffer while captured */
int sluice_log_open(void);
void sluice_log_capture(void);
int sluice_log_release(char *text, int size);
int sluice_stdio_take(void);
void sluice_stdio_restore(void);

/* kernel interface behind a port */
int sluice_rx_channels(int fd, const char *iface);

/* pool */
void *sluice_pool_new(const char *name, unsigned n, unsigned cache, uint16_t room, int socket, int *err);
void sluice_pool_free(void *pool);
unsigned sluice_pool_in_use(void *pool);

/* port, in the order of an attachment */
struct sluice_limits {
	char driver[64];
	uint16_t rx_queues, tx_queues;
	uint16_t min_mtu, max_mtu;
	uint16_t reta_size;
	uint8_t rss_key_size; /* 0: the device has no RSS that we could use */
	int socket;
};

struct sluice_conf {
	uint16_t mtu, queues, rx_ring, tx_ring;
	uint8_t rss_key_size; /* what the device wants, at least 40; 0: no RSS */
	uint8_t rss_key[64];  /* ours, padded with 0: a 4-tuple needs 40 bytes at most */
};

struct sluice_stats {
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes;
	uint64_t rx_missed, rx_errors, tx_errors, rx_no_buf;
};

int sluice_probe(const char *devargs, uint16_t *port);
int sluice_limits_get(uint16_t port, struct sluice_limits *l);
int sluice_configure(uint16_t port, struct sluice_conf *c);
int sluice_queues(uint16_t port, struct sluice_conf *c, void *pool);
int sluice_set_mtu(uint16_t port, uint16_t mtu);
int sluice_get_mtu(uint16_t port, uint16_t *mtu);
int sluice_allmulticast(uint16_t port);
int sluice_promiscuous(uint16_t port);
int sluice_start(uint16_t port);
int sluice_reta_set(uint16_t port, uint16_t size, uint16_t queues);
int sluice_rss_key_set(uint16_t port, uint8_t key[64], uint8_t size);
int sluice_rss_key_get(uint16_t port, uint8_t key[64], uint8_t size);
int sluice_mac(uint16_t port, uint8_t mac[6]);
int sluice_link_up(uint16_t port);
int sluice_stats_get(uint16_t port, struct sluice_stats *s);
int sluice_bond_use(uint16_t bond, uint16_t member);
int sluice_stop(uint16_t port);
int sluice_detach(uint16_t port, int on_interrupts);

/*
 * What package thread calls: the argument is a struct sluice_burst *, the result a
 * number of frames or 0.
 */
typedef int sluice_call(void *arg);
struct sluice_calls {
	sluice_call *rx, *rx_lacp, *tx, *alloc, *free;
};
extern const struct sluice_calls sluice_calls;

struct sluice_burst {
	uintptr_t *bufs;
	void *pool;
	uint16_t port, queue;
	uint16_t n;
};

#endif
