// Connects battery, tilt sensor and range finder to the line: read ten times a second, and what was not read is not said.
#ifndef ORION_SENSORS_H
#define ORION_SENSORS_H

#include "platform.h"

#define SENSORS_BYTES 24u

// Reads everything and writes a whole frame's content (type, seq, body); returns its length.
uint8_t sensors_read(const struct platform *platform, uint8_t *content);

#endif
