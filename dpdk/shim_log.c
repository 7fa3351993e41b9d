#define _GNU_SOURCE /* fopencookie */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_log.h>

#include "shim.h"

/*
 * DPDK says why something failed only in its log. While captured, the log goes
 * into this buffer and from there into the error that Go returns.
 */
static struct {
	pthread_mutex_t lock;
	int on, len;
	FILE *stderr_before; /* libbpf and libxdp write there */
	char text[4096];
} capture = {.lock = PTHREAD_MUTEX_INITIALIZER};

static ssize_t log_write(void *cookie, const char *text, size_t size)
{
	static const char panic[] = "PANIC in ";
	(void)cookie;
	pthread_mutex_lock(&capture.lock);
	int on = capture.on;
	if (on && size >= sizeof(panic) && memcmp(text, panic, sizeof(panic) - 1) == 0) {
		/* rte_panic: abort comes next, and nobody will read the buffer. */
		if (write(STDERR_FILENO, capture.text, capture.len) >= 0)
			capture.on = on = 0;
	}
	if (on) {
		size_t room = sizeof(capture.text) - capture.len;
		size_t n = size < room ? size : room;
		memcpy(capture.text + capture.len, text, n);
		capture.len += (int)n;
	}
	pthread_mutex_unlock(&capture.lock);
	if (!on && write(STDERR_FILENO, text, size) < 0)
		return 0;
	return (ssize_t)size;
}

static FILE *log_stream; /* stays open as long as the process */

int sluice_log_open(void)
{
	cookie_io_functions_t io = {.write = log_write};
	log_stream = fopencookie(NULL, "w", io);
	if (log_stream == NULL)
		return -ENOMEM;
	setlinebuf(log_stream);
	return rte_openlog_stream(log_stream);
}

void sluice_log_capture(void)
{
	pthread_mutex_lock(&capture.lock);
	capture.on = 1;
	capture.len = 0;
	capture.stderr_before = stderr;
	stderr = log_stream;
	pthread_mutex_unlock(&capture.lock);
}

int sluice_log_release(char *text, int size)
{
	pthread_mutex_lock(&capture.lock);
	int n = capture.len < size ? capture.len : size;
	memcpy(text, capture.text, n);
	capture.on = 0;
	stderr = capture.stderr_before;
	pthread_mutex_unlock(&capture.lock);
	return n;
}

/*
 * rte_eal_init prints its usage on stdout when it refuses an argument, and what
 * it refused on stderr. The first is dropped, the second goes into the log. Only
 * C's streams are replaced: the file descriptors 1 and 2, and so Go's output,
 * are untouched.
 */
static FILE *stdout_before, *stderr_before;

int sluice_stdio_take(void)
{
	FILE *null = fopen("/dev/null", "we");
	if (null == NULL)
		return -errno;
	fflush(stdout);
	stdout_before = stdout;
	stderr_before = stderr;
	stdout = null;
	stderr = log_stream;
	return 0;
}

void sluice_stdio_restore(void)
{
	FILE *null = stdout;
	stdout = stdout_before;
	stderr = stderr_before;
	fclose(null);
}
