// Connects the leg board's image to simavr, a second emulator, by words on standard input and output: what is on the outputs-enable line after every instruction, and a supply that sags.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <avr_uart.h>
#include <sim_avr.h>

#define CYCLES_PER_US 16u
// Ten bits at 115,200 baud.
#define BYTE_CYCLES 1389u
#define FLASH_BYTES 32768u
#define DDRD 0x2a
#define PORTD 0x2b
#define MCUSR 0x54
#define TWSR 0xb9
#define TWDR 0xbb
#define TWCR 0xbc
#define TWINT 0x80u
#define TWEA 0x40u
#define TWSTA 0x20u
#define TWSTO 0x10u
#define TWEN 0x04u
// Nine bits at 400 kHz.
#define BUS_BYTE_CYCLES 360u
#define POWER_ON 1u
#define BROWN_OUT 4u
#define OUTPUTS_OFF_BIT 4u
#define LINE_BYTES 4096u

static avr_t *avr;

// What the line does: driven low = outputs on; driven high, or left to its pull-up = off.
static const char *said;

static const char *line_now(void)
{
	if (!(avr->data[DDRD] >> OUTPUTS_OFF_BIT & 1u))
		return "float";
	return avr->data[PORTD] >> OUTPUTS_OFF_BIT & 1u ? "high" : "low";
}

static void say_line(void)
{
	const char *now = line_now();
	if (said != NULL && strcmp(said, now) == 0)
		return;
	said = now;
	printf("line %llu %s\n", (unsigned long long)avr->cycle, now);
}

// The two-wire unit and two servo chips, as far as a program sees them. simavr's own unit never takes its flag back from a program that polls it.
static struct {
	uint8_t registers[256];
	uint8_t at;
} chips[2];
static enum { IDLE, ADDRESS, REGISTER, WRITING, READING } bus;
static uint8_t chosen, bus_status;

static avr_cycle_count_t bus_done(struct avr_t *of, avr_cycle_count_t when, void *param)
{
	(void)when;
	(void)param;
	of->data[TWSR] = bus_status;
	of->data[TWCR] |= TWINT;
	return 0;
}

static uint8_t bus_byte(struct avr_t *of, uint8_t control)
{
	uint8_t byte = of->data[TWDR];
	switch (bus) {
	case ADDRESS:
		chosen = byte >> 1 == 0x41;
		bus = byte & 1u ? READING : REGISTER;
		return byte & 1u ? 0x40 : 0x18;
	case REGISTER:
		chips[chosen].at = byte;
		bus = WRITING;
		return 0x28;
	case WRITING:
		chips[chosen].registers[chips[chosen].at++] = byte;
		return 0x28;
	default:
		of->data[TWDR] = chips[chosen].registers[chips[chosen].at++];
		return control & TWEA ? 0x50 : 0x58;
	}
}

static void on_bus(struct avr_t *of, avr_io_addr_t address, uint8_t control, void *param)
{
	(void)param;
	if (!(control & TWEN) || !(control & TWINT) || (control & TWSTO)) {
		of->data[address] = control & (uint8_t)~(TWINT | TWSTO);
		of->data[TWSR] = 0xf8;
		bus = IDLE;
		return;
	}
	of->data[address] = control & (uint8_t)~TWINT;
	if (control & TWSTA) {
		bus_status = bus == IDLE ? 0x08 : 0x10;
		bus = ADDRESS;
	} else
		bus_status = bus_byte(of, control);
	avr_cycle_timer_register(of, BUS_BYTE_CYCLES, bus_done, NULL);
}

static void on_byte(struct avr_irq_t *irq, uint32_t value, void *param)
{
	(void)irq;
	(void)param;
	printf("byte %02x\n", (unsigned)(value & 0xffu));
}

// Bytes on their way to the board.
static uint8_t waiting[LINE_BYTES];
static unsigned first, last;
static avr_cycle_count_t next_byte_at;

static void instruction(void)
{
	if (first != last && avr->cycle >= next_byte_at) {
		avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT), waiting[first]);
		first = (first + 1u) % LINE_BYTES;
		next_byte_at = avr->cycle + BYTE_CYCLES;
	}
	avr_run(avr);
	say_line();
}

static void start(uint8_t cause)
{
	avr_reset(avr);
	avr->data[MCUSR] = cause;
	bus = IDLE;
	said = NULL;
	say_line();
}

static void take_bytes(const char *hex)
{
	if (first == last)
		next_byte_at = avr->cycle + BYTE_CYCLES;
	for (unsigned byte; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
		waiting[last] = (uint8_t)byte;
		last = (last + 1u) % LINE_BYTES;
	}
}

int main(int count, char **words)
{
	static uint8_t flash[FLASH_BYTES];
	FILE *image = count == 2 ? fopen(words[1], "rb") : NULL;
	if (image == NULL || fread(flash, 1, sizeof flash, image) != sizeof flash)
		return 2;
	fclose(image);
	avr = avr_make_mcu_by_name("atmega328p");
	if (avr == NULL)
		return 3;
	avr_init(avr);
	avr->frequency = 16000000;
	avr->log = LOG_ERROR;
	avr_loadcode(avr, flash, sizeof flash, 0);
	memset(avr->data + 0x100, 0xa5, 2048);
	uint32_t flags = 0;
	avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
	avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), on_byte, NULL);
	avr->io[AVR_DATA_TO_IO(TWCR)].w.c = on_bus;
	start(POWER_ON);

	char line[2u * LINE_BYTES + 16u];
	while (fgets(line, sizeof line, stdin) != NULL) {
		unsigned long number = strtoul(strchr(line, ' ') == NULL ? "" : strchr(line, ' ') + 1, NULL, 10);
		if (strncmp(line, "say ", 4) == 0)
			take_bytes(line + 4);
		else if (strncmp(line, "run ", 4) == 0)
			for (avr_cycle_count_t end = avr->cycle + number * CYCLES_PER_US; avr->cycle < end;)
				instruction();
		else if (strncmp(line, "step ", 5) == 0)
			while (number-- > 0)
				instruction();
		else if (strncmp(line, "sag", 3) == 0)
			start(BROWN_OUT);
		else if (strncmp(line, "power", 5) == 0)
			start(POWER_ON);
		printf("done %llu\n", (unsigned long long)avr->cycle);
		fflush(stdout);
	}
	return 0;
}
