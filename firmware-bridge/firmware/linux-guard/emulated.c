// Connects the guard to a test that plays bus, servo power and watchdog over a unix socket: every register write is seen there.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform.h"

// Longer than a busy machine keeps a test from answering: only a bus that is silent on purpose lets it pass.
#define ANSWER_MS 1000

// Request: kind, address, register, count, then count bytes if it writes. Answer: 1 or 0, then count bytes if it read.
enum kind { WRITE = 'W', READ = 'R', POWER = 'P', FEED = 'F', RANGE = 'E' };

// Bus and power are two connections, so that a bus that hangs holds up nothing else.
static int bus = -1, power_line = -1;
static const char *bus_path;

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = ANSWER_MS / 1000, .tv_usec = ANSWER_MS % 1000 * 1000 };
	int line = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (line < 0 || connect(line, (struct sockaddr *)&address, sizeof address) != 0) {
		fprintf(stderr, "linux-guard: emulated bus %s: %s\n", path, strerror(errno));
		return -1;
	}
	setsockopt(line, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return line;
}

static bool ask(uint8_t kind, uint8_t address, uint8_t reg, const uint8_t *bytes, uint8_t count, uint8_t *values)
{
	uint8_t request[4 + 255] = { kind, address, reg, count };
	uint8_t answer[1 + 255];
	size_t written = bytes == NULL ? 0 : count;
	size_t expected = 1u + (values == NULL ? 0u : count);
	if (bytes != NULL)
		memcpy(request + 4, bytes, count);
	if (send(bus, request, 4 + written, MSG_NOSIGNAL) != (ssize_t)(4 + written) ||
	    recv(bus, answer, expected, MSG_WAITALL) != (ssize_t)expected) {
		// What is answered too late must not be taken for the answer to the next question.
		close(bus);
		bus = connect_to(bus_path);
		return false;
	}
	if (answer[0] != 1)
		return false;
	if (values != NULL)
		memcpy(values, answer + 1, count);
	return true;
}

static void power_emulated(bool on)
{
	uint8_t level = on;
	// Not answered: who tells the power line something waits for nobody.
	uint8_t request[5] = { POWER, 0, 0, 1, level };
	(void)send(power_line, request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool open_emulated(const char *path)
{
	bus_path = path;
	bus = connect_to(path);
	power_line = connect_to(path);
	if (bus < 0 || power_line < 0)
		return false;
	power_emulated(false);
	return true;
}

static bool write_emulated(uint8_t address, const uint8_t *bytes, uint8_t count)
{
	return ask(WRITE, address, 0, bytes, count, NULL);
}

static bool read_emulated(uint8_t address, uint8_t reg, uint8_t *values, uint8_t count)
{
	return ask(READ, address, reg, NULL, count, values);
}

static void feed_emulated(void)
{
	uint8_t request[4] = { FEED, 0, 0, 0 };
	(void)send(power_line, request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool range_emulated(uint16_t *mm)
{
	uint8_t values[2];
	if (!ask(RANGE, 0, 0, NULL, sizeof values, values))
		return false;
	*mm = (uint16_t)(values[0] | values[1] << 8);
	return true;
}

static void close_emulated(void)
{
	power_emulated(false);
	close(bus);
	close(power_line);
}

const struct platform emulated_platform = {
	.open = open_emulated,
	.power = power_emulated,
	.write = write_emulated,
	.read = read_emulated,
	.feed_watchdog = feed_emulated,
	.range_mm = range_emulated,
	.close = close_emulated,
};
