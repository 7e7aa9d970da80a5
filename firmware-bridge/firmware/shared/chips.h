// Connects pulse widths to the two PCA9685 servo chips: set-up, pulses, all off, and whether they still are what we made them.
#ifndef ORION_CHIPS_H
#define ORION_CHIPS_H

#include <stdbool.h>
#include <stdint.h>

#define JOINT_COUNT 18u

// 50 Hz, all channels off, read back. False if a chip does not answer as it should.
bool chips_set_up(void);
// Pulses in microseconds, 0 = none; one bus write a chip, so no joint is ever half written.
bool chips_pulses(const uint16_t *pulses_us);
bool chips_all_off(void);
// Mode and prescale as set up? A chip that lost power has forgotten them.
bool chips_sound(void);

#endif
