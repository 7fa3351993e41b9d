#define _GNU_SOURCE /* dl_iterate_phdr */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ring.h>

#include "ringport.h"

/* One producer, one consumer: as net_ring's own rings are, so that costs compare. */
void *sluice_ring_new(const char *name, unsigned size, int socket, int *err)
{
	struct rte_ring *r = rte_ring_create(name, size, socket, RING_F_SP_ENQ | RING_F_SC_DEQ);
	*err = r == NULL ? rte_errno : 0;
	return r;
}

void sluice_ring_free(void *ring) { rte_ring_free(ring); }

/* As rte_eth_ring.h declares it. */
typedef int from_rings_t(const char *name, struct rte_ring *const rx[], const unsigned nb_rx,
	struct rte_ring *const tx[], const unsigned nb_tx, const unsigned socket);

static int find_driver(struct dl_phdr_info *info, size_t size, void *found)
{
	(void)size;
	if (strstr(info->dlpi_name, "librte_net_ring.so") == NULL)
		return 0;
	*(void **)found = dlopen(info->dlpi_name, RTLD_NOW | RTLD_NOLOAD);
	return 1;
}

/*
 * The EAL has loaded the driver as a plug-in. It is looked up there: linked, it
 * would have to be installed wherever the daemon runs.
 */
static from_rings_t *from_rings(void)
{
	void *driver = NULL;
	dl_iterate_phdr(find_driver, &driver);
	return driver == NULL ? NULL : (from_rings_t *)dlsym(driver, "rte_eth_from_rings");
}

int sluice_ring_port(const char *name, void *rx, void *tx, int socket, uint16_t *port)
{
	struct rte_ring *in = rx, *out = tx;
	from_rings_t *make = from_rings();
	if (make == NULL)
		return -ENOENT;
	int id = make(name, &in, 1, &out, 1, (unsigned)socket);
	if (id < 0)
		return -(rte_errno != 0 ? rte_errno : ENODEV);
	*port = (uint16_t)id;
	return 0;
}

uint16_t sluice_ring_put(void *ring, uintptr_t *burst, uint16_t n)
{
	return (uint16_t)rte_ring_enqueue_burst(ring, (void **)burst, n, NULL);
}

uint16_t sluice_ring_get(void *ring, uintptr_t *burst, uint16_t n)
{
	return (uint16_t)rte_ring_dequeue_burst(ring, (void **)burst, n, NULL);
}
