// Connects bytes to frames: delimiters, byte stuffing and checksum of the line (PROTOCOL.md), the same on board and guard.
#ifndef ORION_LINE_H
#define ORION_LINE_H

#include <stdbool.h>
#include <stdint.h>

#define LINE_STUFFED_MAX 56u
#define LINE_CONTENT_MAX 46u
#define LINE_WIRE_MAX (LINE_STUFFED_MAX + 2u)

struct line {
	uint8_t run[LINE_STUFFED_MAX];
	uint8_t length;
	bool too_long;
	uint16_t damaged;
};

uint16_t line_crc(const uint8_t *bytes, uint8_t count);
void line_init(struct line *line);
// One byte in; the length of the content (in `content`, LINE_STUFFED_MAX bytes) when it completed a sound frame, else 0.
uint8_t line_byte(struct line *line, uint8_t byte, uint8_t *content);
// Content -> what goes on the wire (LINE_WIRE_MAX bytes); returns its length.
uint8_t line_wrap(const uint8_t *content, uint8_t count, uint8_t *wire);

#endif
