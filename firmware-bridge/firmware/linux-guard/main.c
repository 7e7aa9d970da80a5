// Connects the shared leg code to a Raspberry Pi that drives the servos itself: one host on a unix socket, and a timer thread as dead-man.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../shared/legs.h"
#include "../shared/port.h"
#include "platform.h"
#include "sensors.h"

#ifndef FIRMWARE_HASH
#error "FIRMWARE_HASH: eight bytes of the hash of the sources; build with build/guard.mjs"
#endif

#define TURN_MS 2
#define FEED_EVERY_MS 100u
#define SENSORS_EVERY_MS 100u
#define TIMER_PRIORITY 50

static const uint8_t firmware_hash[8] = { FIRMWARE_HASH };
static const struct platform *platform = &linux_platform;
static struct legs legs;
static pthread_mutex_t timer_lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool loop_turned, ending;
static bool power_on;
static uint64_t ticked_at_ms;
static int host = -1;

// Counts on while the machine is suspended: a lease does not sleep.
static uint64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

uint32_t port_uptime_ms(void)
{
	static uint64_t started_ms;
	if (started_ms == 0)
		started_ms = now_ms();
	return (uint32_t)(now_ms() - started_ms);
}

// Time first: a process that was stopped for a while must not honour what waited for it before it knows that it is late.
uint8_t port_lock(void)
{
	pthread_mutex_lock(&timer_lock);
	uint64_t at_ms = now_ms();
	uint64_t elapsed_ms = at_ms - ticked_at_ms;
	ticked_at_ms = at_ms;
	if (elapsed_ms > 0)
		legs_tick(&legs, elapsed_ms > 0xffff ? 0xffff : (uint16_t)elapsed_ms);
	return 0;
}

void port_unlock(uint8_t before)
{
	(void)before;
	pthread_mutex_unlock(&timer_lock);
}

// Called with the lock held, by the timer thread a thousand times a second while off: the line is told of changes only.
void port_outputs(bool on)
{
	if (on == power_on)
		return;
	power_on = on;
	platform->power(on);
}

bool port_bus_write(uint8_t address, const uint8_t *bytes, uint8_t count)
{
	return platform->write(address, bytes, count);
}

bool port_bus_read(uint8_t address, uint8_t reg, uint8_t *value)
{
	return platform->read(address, reg, value, 1);
}

void port_wait_us(uint16_t us)
{
	struct timespec wait = { .tv_nsec = us * 1000L };
	nanosleep(&wait, NULL);
}

void port_send(const uint8_t *wire, uint8_t count)
{
	// A host that does not read loses frames, never this process its time.
	if (host >= 0)
		(void)send(host, wire, count, MSG_DONTWAIT | MSG_NOSIGNAL);
}

uint32_t port_next_nonce(void)
{
	static uint32_t nonce;
	if ((uint8_t)nonce == 0) {
		if (getrandom(&nonce, sizeof nonce, 0) != sizeof nonce)
			nonce = (uint32_t)now_ms();
		nonce &= ~0xffu;
	}
	return ++nonce;
}

// What the timer interrupt is on the board: nothing the main loop does or fails to do holds it up.
static void *timer(void *unused)
{
	struct timespec next;
	uint64_t fed_ms = 0;
	(void)unused;
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!atomic_load(&ending)) {
		next.tv_nsec += 1000000;
		if (next.tv_nsec >= 1000000000) {
			next.tv_nsec -= 1000000000;
			next.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		port_unlock(port_lock());
		uint64_t at_ms = now_ms();
		// Fed only if the main loop went round since.
		if (at_ms - fed_ms >= FEED_EVERY_MS && atomic_exchange(&loop_turned, false)) {
			fed_ms = at_ms;
			platform->feed_watchdog();
		}
	}
	return NULL;
}

static bool start_timer(pthread_t *thread)
{
	struct sched_param priority = { .sched_priority = TIMER_PRIORITY };
	if (pthread_create(thread, NULL, timer, NULL) != 0)
		return false;
	if (pthread_setschedparam(*thread, SCHED_FIFO, &priority) != 0 || mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		fprintf(stderr, "linux-guard: without real-time rights (CAP_SYS_NICE, CAP_IPC_LOCK): stops may come some milliseconds later\n");
	return true;
}

static int listen_on(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof address.sun_path) {
		fprintf(stderr, "linux-guard: %s is too long for a socket\n", path);
		return -1;
	}
	strcpy(address.sun_path, path);
	int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (probe >= 0 && connect(probe, (struct sockaddr *)&address, sizeof address) == 0) {
		fprintf(stderr, "linux-guard: another guard answers on %s; stop that one first\n", path);
		close(probe);
		return -1;
	}
	close(probe);
	unlink(path);
	umask(0117);
	int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (door < 0 || bind(door, (struct sockaddr *)&address, sizeof address) != 0 || listen(door, 1) != 0) {
		fprintf(stderr, "linux-guard: %s: %s\n", path, strerror(errno));
		return -1;
	}
	return door;
}

static void greet(int door)
{
	int caller = accept4(door, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (caller < 0)
		return;
	// One host at a time; whoever holds the robot keeps it.
	if (host >= 0) {
		close(caller);
		return;
	}
	host = caller;
	line_init(&legs.line);
	legs_hello(&legs);
}

static void hear(void)
{
	uint8_t bytes[256];
	ssize_t count = recv(host, bytes, sizeof bytes, MSG_DONTWAIT);
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	for (ssize_t at = 0; at < count; at++)
		legs_byte(&legs, bytes[at]);
	if (count <= 0) {
		close(host);
		host = -1;
		legs_host_gone(&legs);
	}
}

static void say_sensors(void)
{
	uint8_t content[SENSORS_BYTES];
	uint8_t wire[LINE_WIRE_MAX];
	port_send(wire, line_wrap(content, sensors_read(platform, content), wire));
}

static void run(int door)
{
	uint32_t sensed_ms = 0;
	while (!atomic_load(&ending)) {
		struct pollfd doors[2] = { { .fd = door, .events = POLLIN }, { .fd = host, .events = POLLIN } };
		poll(doors, 2, TURN_MS);
		// First who leaves, then who comes: the next host is not turned away for one that is gone.
		if (host >= 0 && doors[1].revents != 0)
			hear();
		if (doors[0].revents & POLLIN)
			greet(door);
		legs_turn(&legs);
		uint32_t uptime_ms = port_uptime_ms();
		if (host >= 0 && uptime_ms - sensed_ms >= SENSORS_EVERY_MS) {
			sensed_ms = uptime_ms;
			say_sensors();
		}
		atomic_store(&loop_turned, true);
	}
}

static void end(int signal)
{
	(void)signal;
	atomic_store(&ending, true);
}

static bool read_words(int count, char **words, const char **socket_path, const char **bus, bool *off_only)
{
	for (int at = 1; at < count; at += 2) {
		if (strcmp(words[at], "--off") == 0) {
			*off_only = true;
			at--;
			continue;
		}
		if (at + 1 == count)
			return false;
		if (strcmp(words[at], "--socket") == 0)
			*socket_path = words[at + 1];
		else if (strcmp(words[at], "--bus") == 0)
			*bus = words[at + 1];
		else
			return false;
	}
	return *off_only || *socket_path != NULL;
}

// What is left to do after a guard that died: outputs off, and nothing else.
static int switch_off(const char *bus)
{
	if (!platform->open(bus))
		return 1;
	platform->power(false);
	// Without their power they need not answer.
	(void)chips_all_off();
	platform->close();
	return 0;
}

int main(int count, char **words)
{
	const char *socket_path = NULL, *bus = "/dev/i2c-1";
	bool off_only = false;
	if (!read_words(count, words, &socket_path, &bus, &off_only)) {
		fprintf(stderr, "usage: linux-guard --socket PATH [--bus /dev/i2c-1 | --bus emulated:PATH]\n"
				"       linux-guard --off [--bus ...]    outputs off, then ends\n");
		return 2;
	}
	if (strncmp(bus, "emulated:", 9) == 0) {
		platform = &emulated_platform;
		bus += 9;
	}
	if (off_only)
		return switch_off(bus);
	struct sigaction ends = { .sa_handler = end };
	sigaction(SIGTERM, &ends, NULL);
	sigaction(SIGINT, &ends, NULL);
	int door = listen_on(socket_path);
	if (door < 0 || !platform->open(bus))
		return 1;
	legs_init(&legs, BOARD_LINUX_GUARD, 0, firmware_hash);
	// What an earlier guard left on the chips is taken away; servo power is off already.
	(void)chips_all_off();
	ticked_at_ms = now_ms();
	pthread_t thread;
	if (!start_timer(&thread)) {
		platform->close();
		return 1;
	}
	run(door);
	pthread_join(thread, NULL);
	uint8_t before = port_lock();
	deadman_cut(&legs.deadman, CAUSE_CUT);
	port_outputs(false);
	port_unlock(before);
	(void)chips_all_off();
	platform->close();
	unlink(socket_path);
	return 0;
}
