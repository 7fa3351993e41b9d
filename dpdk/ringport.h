/*
 * A net_ring port whose two rings are ours: frames are put in front of it and
 * collected behind it without a device. For benchmarks.
 */
#ifndef SLUICE_RINGPORT_H
#define SLUICE_RINGPORT_H

#include <stdint.h>

void *sluice_ring_new(const char *name, unsigned size, int socket, int *err);
void sluice_ring_free(void *ring);
int sluice_ring_port(const char *name, void *rx, void *tx, int socket, uint16_t *port);
uint16_t sluice_ring_put(void *ring, uintptr_t *burst, uint16_t n);
uint16_t sluice_ring_get(void *ring, uintptr_t *burst, uint16_t n);

#endif
