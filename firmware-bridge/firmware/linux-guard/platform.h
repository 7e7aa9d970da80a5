// What the guard owns on a Raspberry Pi, or what a test gives it instead: bus, servo power, watchdog, range finder.
#ifndef ORION_PLATFORM_H
#define ORION_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

struct platform {
	// Takes hold of everything, servo power off. False with a line on stderr.
	bool (*open)(const char *bus);
	// Called from the timer thread as well; bounded in time.
	void (*power)(bool on);
	bool (*write)(uint8_t address, const uint8_t *bytes, uint8_t count);
	bool (*read)(uint8_t address, uint8_t reg, uint8_t *values, uint8_t count);
	// Called from the timer thread only.
	void (*feed_watchdog)(void);
	// Starts a measurement and gives the result of the one before; false when there is none.
	bool (*range_mm)(uint16_t *mm);
	void (*close)(void);
};

extern const struct platform linux_platform;
extern const struct platform emulated_platform;

#endif
