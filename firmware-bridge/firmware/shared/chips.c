// Connects pulse widths to the two PCA9685 servo chips: set-up, pulses, all off, and whether they still are what we made them.
#include "chips.h"
#include "port.h"

#define MODE1 0x00u
#define MODE2 0x01u
#define LED0 0x06u
#define ALL_LED_OFF_H 0xfdu
#define PRESCALE 0xfeu

#define MODE1_SLEEP 0x10u
#define MODE1_AUTO_INCREMENT 0x20u
// The chip may raise its restart bit by itself when it was put to sleep.
#define MODE1_ALL_BUT_RESTART 0x7fu
// Push-pull; outputs low while outputs-enable is high.
#define MODE2_PUSH_PULL 0x04u
#define FULL_OFF 0x10u
// 25 MHz / 4096 / 122 = 50.03 Hz, 4.88 us a step.
#define PRESCALE_50_HZ 121u
#define OSCILLATOR_US 500u

#define CHANNELS 16u
#define NO_JOINT 0xffu

// Channel 0 to 15 of each chip -> joint (leg 1 coxa, femur, tibia, leg 2 coxa, ...), as the FNK0052 is wired.
static const uint8_t ADDRESS[2] = { 0x41, 0x40 };
static const uint8_t FIRST_CHANNEL[2] = { 8, 0 };
static const uint8_t JOINT_OF[2][CHANNELS] = {
	{ NO_JOINT, NO_JOINT, NO_JOINT, NO_JOINT, NO_JOINT, NO_JOINT, NO_JOINT, NO_JOINT, 7, 6, 5, 4, 3, 2, 1, 0 },
	{ 15, 16, 17, 12, 13, 14, 9, 10, NO_JOINT, NO_JOINT, NO_JOINT, 11, NO_JOINT, NO_JOINT, NO_JOINT, 8 },
};

static bool set(uint8_t address, uint8_t reg, uint8_t value)
{
	const uint8_t bytes[2] = { reg, value };
	return port_bus_write(address, bytes, sizeof bytes);
}

static bool is(uint8_t address, uint8_t reg, uint8_t mask, uint8_t expected)
{
	uint8_t value;
	return port_bus_read(address, reg, &value) && (value & mask) == expected;
}

bool chips_all_off(void)
{
	bool first = set(ADDRESS[0], ALL_LED_OFF_H, FULL_OFF);
	return set(ADDRESS[1], ALL_LED_OFF_H, FULL_OFF) && first;
}

bool chips_set_up(void)
{
	for (uint8_t chip = 0; chip < 2; chip++) {
		uint8_t address = ADDRESS[chip];
		// The prescale can only be written while the oscillator sleeps.
		if (!set(address, ALL_LED_OFF_H, FULL_OFF) || !set(address, MODE1, MODE1_SLEEP) || !set(address, PRESCALE, PRESCALE_50_HZ) ||
		    !set(address, MODE2, MODE2_PUSH_PULL) || !set(address, MODE1, MODE1_AUTO_INCREMENT))
			return false;
	}
	port_wait_us(OSCILLATOR_US);
	return chips_all_off() && chips_sound();
}

bool chips_pulses(const uint16_t *pulses_us)
{
	for (uint8_t chip = 0; chip < 2; chip++) {
		uint8_t bytes[1 + 4 * CHANNELS];
		uint8_t count = 0;
		bytes[count++] = (uint8_t)(LED0 + 4u * FIRST_CHANNEL[chip]);
		for (uint8_t channel = FIRST_CHANNEL[chip]; channel < CHANNELS; channel++) {
			uint8_t joint = JOINT_OF[chip][channel];
			uint16_t pulse_us = joint == NO_JOINT ? 0 : pulses_us[joint];
			// Steps of 122 / 25 us, rounded.
			uint16_t steps = (uint16_t)(((uint32_t)pulse_us * 25u + 61u) / 122u);
			bytes[count++] = 0;
			bytes[count++] = 0;
			bytes[count++] = pulse_us == 0 ? 0 : (uint8_t)steps;
			bytes[count++] = pulse_us == 0 ? FULL_OFF : (uint8_t)(steps >> 8);
		}
		if (!port_bus_write(ADDRESS[chip], bytes, count))
			return false;
	}
	return true;
}

bool chips_sound(void)
{
	for (uint8_t chip = 0; chip < 2; chip++) {
		if (!is(ADDRESS[chip], MODE1, MODE1_ALL_BUT_RESTART, MODE1_AUTO_INCREMENT) || !is(ADDRESS[chip], PRESCALE, 0xff, PRESCALE_50_HZ))
			return false;
	}
	return true;
}
