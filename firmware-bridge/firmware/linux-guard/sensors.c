// Connects battery, tilt sensor and range finder to the line: read ten times a second, and what was not read is not said.
#include "sensors.h"

#include <string.h>

#define SENSORS_TYPE 0x84u
#define ADC_ADDRESS 0x48u
#define SERVO_CHANNEL 0u
#define BOARD_CHANNEL 4u
// The bridge before the converter divides by three; 255 steps are 5 V.
#define FULL_SCALE_MV 15000u
#define READINGS_APART_MAX 2

#define IMU_ADDRESS 0x68u
#define IMU_POWER 0x6bu
#define IMU_VALUES 0x3bu
#define IMU_VALUE_BYTES 14u
#define COUNTS_PER_G 16384
#define COUNTS_PER_DPS 131

enum valid { VALID_SERVO = 1, VALID_BOARD = 2, VALID_IMU = 4, VALID_RANGE = 8 };

static uint8_t *put16(uint8_t *at, int32_t value)
{
	*at++ = (uint8_t)value;
	*at++ = (uint8_t)(value >> 8);
	return at;
}

// Two readings that agree: the converter shares its supply with eighteen servos.
static bool read_mv(const struct platform *platform, uint8_t channel, uint16_t *mv)
{
	uint8_t command = (uint8_t)(0x84u | (((unsigned)channel << 2 | channel >> 1) & 7u) << 4);
	uint8_t first, second;
	if (!platform->read(ADC_ADDRESS, command, &first, 1) || !platform->read(ADC_ADDRESS, command, &second, 1))
		return false;
	if (first - second > READINGS_APART_MAX || second - first > READINGS_APART_MAX)
		return false;
	*mv = (uint16_t)(((uint32_t)first + second) * FULL_SCALE_MV / 510u);
	return true;
}

static int32_t scaled(const uint8_t *at, int32_t unit, int32_t counts)
{
	int16_t raw = (int16_t)(at[0] << 8 | at[1]);
	return raw * unit / counts;
}

static bool read_imu(const struct platform *platform, int32_t *accel_mg, int32_t *gyro_deci_dps)
{
	uint8_t values[IMU_VALUE_BYTES];
	uint8_t power;
	if (!platform->read(IMU_ADDRESS, IMU_POWER, &power, 1))
		return false;
	if (power != 0) {
		// Asleep since power came: woken now, believed next time.
		const uint8_t wake[2] = { IMU_POWER, 0 };
		(void)platform->write(IMU_ADDRESS, wake, sizeof wake);
		return false;
	}
	if (!platform->read(IMU_ADDRESS, IMU_VALUES, values, sizeof values))
		return false;
	for (int axis = 0; axis < 3; axis++) {
		accel_mg[axis] = scaled(values + 2 * axis, 1000, COUNTS_PER_G);
		gyro_deci_dps[axis] = scaled(values + 8 + 2 * axis, 10, COUNTS_PER_DPS);
	}
	return true;
}

uint8_t sensors_read(const struct platform *platform, uint8_t *content)
{
	uint16_t servo_mv = 0, board_mv = 0, range_mm = 0;
	int32_t accel_mg[3] = { 0 }, gyro_deci_dps[3] = { 0 };
	uint8_t valid = 0;
	if (read_mv(platform, SERVO_CHANNEL, &servo_mv))
		valid |= VALID_SERVO;
	if (read_mv(platform, BOARD_CHANNEL, &board_mv))
		valid |= VALID_BOARD;
	if (read_imu(platform, accel_mg, gyro_deci_dps))
		valid |= VALID_IMU;
	if (platform->range_mm(&range_mm))
		valid |= VALID_RANGE;
	memset(content, 0, SENSORS_BYTES);
	content[0] = SENSORS_TYPE;
	uint8_t *at = put16(put16(content + 5, servo_mv), board_mv);
	for (int axis = 0; axis < 3; axis++)
		at = put16(at, accel_mg[axis]);
	for (int axis = 0; axis < 3; axis++)
		at = put16(at, gyro_deci_dps[axis]);
	at = put16(at, range_mm);
	*at++ = valid;
	return (uint8_t)(at - content);
}
