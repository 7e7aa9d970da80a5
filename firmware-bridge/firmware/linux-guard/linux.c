// Connects the guard to a real Raspberry Pi: /dev/i2c-1, servo power on GPIO 4 (high = off), /dev/watchdog, range finder on GPIO 27 and 22.
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "platform.h"

#define GPIO_CHIP "/dev/gpiochip0"
#define WATCHDOG "/dev/watchdog"
#define POWER_OFF_LINE 4
#define TRIGGER_LINE 27
#define ECHO_LINE 22
#define WATCHDOG_SECONDS 2
// In units of 10 ms: what holds the bus longer than this is a fault.
#define BUS_TIMEOUT 2
#define BUS_HZ 400000u
#define TRIGGER_US 10
#define RANGE_MM_MAX 3000u
// Sound there and back: 0.343 mm/us, halved.
#define NS_PER_MM 5831u

static int bus = -1, power_line = -1, trigger_line = -1, echo_line = -1, watchdog = -1;

static bool failed(const char *what)
{
	fprintf(stderr, "linux-guard: %s: %s\n", what, strerror(errno));
	return false;
}

static int request_line(int chip, unsigned offset, uint64_t flags, bool value)
{
	struct gpio_v2_line_request request = { .offsets = { offset }, .num_lines = 1, .config = { .flags = flags } };
	snprintf(request.consumer, sizeof request.consumer, "orion-guard");
	if (flags & GPIO_V2_LINE_FLAG_OUTPUT) {
		// The level comes with the direction, so the line is never driven to the other one.
		request.config.num_attrs = 1;
		request.config.attrs[0].mask = 1;
		request.config.attrs[0].attr.id = GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES;
		request.config.attrs[0].attr.values = value;
	}
	return ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &request) == 0 ? request.fd : -1;
}

static bool set_line(int line, bool value)
{
	struct gpio_v2_line_values values = { .mask = 1, .bits = value };
	return ioctl(line, GPIO_V2_LINE_SET_VALUES_IOCTL, &values) == 0;
}

static void warn_if_slow(const char *path)
{
	const char *number = strrchr(path, '-');
	char file[96];
	uint8_t hz[4];
	snprintf(file, sizeof file, "/sys/class/i2c-adapter/i2c%s/of_node/clock-frequency", number == NULL ? "" : number);
	int setting = open(file, O_RDONLY | O_CLOEXEC);
	if (setting < 0)
		return;
	if (read(setting, hz, sizeof hz) == sizeof hz) {
		uint32_t found = (uint32_t)hz[0] << 24 | (uint32_t)hz[1] << 16 | (uint32_t)hz[2] << 8 | hz[3];
		if (found < BUS_HZ)
			fprintf(stderr, "linux-guard: %s runs at %u Hz; set dtparam=i2c_arm_baudrate=%u in config.txt\n", path, found, BUS_HZ);
	}
	close(setting);
}

static bool open_linux(const char *path)
{
	int chip = open(GPIO_CHIP, O_RDWR | O_CLOEXEC);
	if (chip < 0)
		return failed(GPIO_CHIP);
	power_line = request_line(chip, POWER_OFF_LINE, GPIO_V2_LINE_FLAG_OUTPUT, true);
	// Without a range finder the robot is only blind; without the power line it must not run.
	trigger_line = request_line(chip, TRIGGER_LINE, GPIO_V2_LINE_FLAG_OUTPUT, false);
	echo_line = request_line(chip, ECHO_LINE, GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING, false);
	close(chip);
	if (power_line < 0)
		return failed("GPIO 4 (servo power)");
	if (echo_line >= 0)
		fcntl(echo_line, F_SETFL, fcntl(echo_line, F_GETFL) | O_NONBLOCK);
	bus = open(path, O_RDWR | O_CLOEXEC);
	if (bus < 0)
		return failed(path);
	ioctl(bus, I2C_TIMEOUT, BUS_TIMEOUT);
	ioctl(bus, I2C_RETRIES, 0);
	warn_if_slow(path);
	watchdog = open(WATCHDOG, O_WRONLY | O_CLOEXEC);
	if (watchdog < 0)
		return failed(WATCHDOG);
	int seconds = WATCHDOG_SECONDS;
	if (ioctl(watchdog, WDIOC_SETTIMEOUT, &seconds) != 0)
		fprintf(stderr, "linux-guard: %s keeps its own time-out\n", WATCHDOG);
	return true;
}

static void power_linux(bool on)
{
	if (!set_line(power_line, !on) && on)
		failed("GPIO 4 (servo power)");
}

static bool transfer(struct i2c_msg *messages, unsigned count)
{
	struct i2c_rdwr_ioctl_data data = { .msgs = messages, .nmsgs = count };
	return ioctl(bus, I2C_RDWR, &data) == (int)count;
}

static bool write_linux(uint8_t address, const uint8_t *bytes, uint8_t count)
{
	struct i2c_msg message = { .addr = address, .flags = 0, .len = count, .buf = (uint8_t *)bytes };
	return transfer(&message, 1);
}

static bool read_linux(uint8_t address, uint8_t reg, uint8_t *values, uint8_t count)
{
	struct i2c_msg messages[2] = {
		{ .addr = address, .flags = 0, .len = 1, .buf = &reg },
		{ .addr = address, .flags = I2C_M_RD, .len = count, .buf = values },
	};
	return transfer(messages, 2);
}

static void feed_linux(void)
{
	ioctl(watchdog, WDIOC_KEEPALIVE, 0);
}

static bool range_linux(uint16_t *mm)
{
	struct gpio_v2_line_event event;
	uint64_t rose_ns = 0, width_ns = 0;
	if (trigger_line < 0 || echo_line < 0)
		return false;
	// The kernel stamps the edges; whatever it saw of the last echo is read now.
	while (read(echo_line, &event, sizeof event) == sizeof event) {
		if (event.id == GPIO_V2_LINE_EVENT_RISING_EDGE)
			rose_ns = event.timestamp_ns;
		else if (rose_ns != 0)
			width_ns = event.timestamp_ns - rose_ns;
	}
	struct timespec pulse = { .tv_nsec = TRIGGER_US * 1000 };
	set_line(trigger_line, true);
	nanosleep(&pulse, NULL);
	set_line(trigger_line, false);
	uint64_t found_mm = width_ns / NS_PER_MM;
	if (found_mm == 0 || found_mm > RANGE_MM_MAX)
		return false;
	*mm = (uint16_t)found_mm;
	return true;
}

static void close_linux(void)
{
	power_linux(false);
	// An orderly end: without this letter the watchdog goes on and restarts the machine.
	if (write(watchdog, "V", 1) != 1)
		failed(WATCHDOG);
	close(watchdog);
	close(bus);
	// The power line is let go last; its pull-up keeps servo power off.
	close(power_line);
}

const struct platform linux_platform = {
	.open = open_linux,
	.power = power_linux,
	.write = write_linux,
	.read = read_linux,
	.feed_watchdog = feed_linux,
	.range_mm = range_linux,
	.close = close_linux,
};
