// Connects bytes to frames: delimiters, byte stuffing and checksum of the line (PROTOCOL.md), the same on board and guard.
#include "line.h"

uint16_t line_crc(const uint8_t *bytes, uint8_t count)
{
	uint16_t crc = 0xffff;
	while (count-- > 0) {
		crc ^= (uint16_t)((uint16_t)*bytes++ << 8);
		for (uint8_t bit = 0; bit < 8; bit++)
			crc = (crc & 0x8000u) ? (uint16_t)((uint16_t)(crc << 1) ^ 0x1021u) : (uint16_t)(crc << 1);
	}
	return crc;
}

void line_init(struct line *line)
{
	line->length = 0;
	line->too_long = false;
	line->damaged = 0;
}

// Returns the length without checksum, or 0 when run lengths or checksum do not hold.
static uint8_t unstuff(const uint8_t *run, uint8_t length, uint8_t *content)
{
	uint8_t count = 0;
	uint8_t at = 0;
	while (at < length) {
		uint8_t code = run[at];
		if (code == 0 || code > (uint8_t)(length - at))
			return 0;
		for (uint8_t inside = 1; inside < code; inside++)
			content[count++] = run[at + inside];
		at = (uint8_t)(at + code);
		if (at < length)
			content[count++] = 0;
	}
	if (count < 3)
		return 0;
	uint16_t crc = (uint16_t)(content[count - 2] | (uint16_t)((uint16_t)content[count - 1] << 8));
	return line_crc(content, (uint8_t)(count - 2)) == crc ? (uint8_t)(count - 2) : 0;
}

uint8_t line_byte(struct line *line, uint8_t byte, uint8_t *content)
{
	if (byte != 0) {
		if (line->length < LINE_STUFFED_MAX)
			line->run[line->length++] = byte;
		else
			line->too_long = true;
		return 0;
	}
	bool empty = line->length == 0;
	uint8_t count = line->too_long || empty ? 0 : unstuff(line->run, line->length, content);
	if (count == 0 && !empty && line->damaged < 0xffff)
		line->damaged++;
	line->length = 0;
	line->too_long = false;
	return count;
}

uint8_t line_wrap(const uint8_t *content, uint8_t count, uint8_t *wire)
{
	uint16_t crc = line_crc(content, count);
	uint8_t code_at = 1;
	uint8_t length = 2;
	wire[0] = 0;
	for (uint8_t at = 0; at < count + 2; at++) {
		uint8_t byte = at < count ? content[at] : at == count ? (uint8_t)crc : (uint8_t)(crc >> 8);
		if (byte == 0) {
			wire[code_at] = (uint8_t)(length - code_at);
			code_at = length++;
		} else {
			wire[length++] = byte;
		}
	}
	wire[code_at] = (uint8_t)(length - code_at);
	wire[length++] = 0;
	return length;
}
