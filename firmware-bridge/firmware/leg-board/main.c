// Connects the shared leg code to an ATmega328P at 16 MHz: serial line, two-wire bus, outputs-enable on PD4, 1 ms timer, watchdog, EEPROM.
#include <avr/eeprom.h>
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/wdt.h>
#include <util/delay.h>

#include "../shared/legs.h"
#include "../shared/port.h"

#ifndef FIRMWARE_HASH
#error "FIRMWARE_HASH: eight bytes of the hash of the sources; build with build/avr.mjs"
#endif

// High = outputs off. A 10 k pull-up on this line holds it while the processor is in reset or its bootloader.
#define OUTPUTS_OFF_PIN PD4
#define TICK_COUNTS 249u
// 115,200 baud, double speed: 2.1 % fast.
#define BAUD_DIVIDER 16u
// 400 kHz.
#define BUS_DIVIDER 12u
// One byte on the bus takes 23 us; whoever holds it longer than about 0.3 ms hangs.
#define BUS_PATIENCE 800u
#define RING_BYTES 128u
#define NONCE_SLOTS 8u

static const uint8_t firmware_hash[8] = { FIRMWARE_HASH };

struct legs legs;
static volatile uint32_t uptime_ms;
static volatile uint8_t tick_ran;
uint8_t reset_cause __attribute__((section(".noinit")));

static volatile uint8_t rx_ring[RING_BYTES], tx_ring[RING_BYTES];
static volatile uint8_t rx_in, rx_out, tx_in, tx_out;

// Before stack, before registers: the level first, then the direction, or the line would be driven low for a moment.
__attribute__((naked, used, section(".init1"))) void outputs_off_first(void)
{
	__asm__ volatile("sbi %0, %1\n\tsbi %2, %1" ::"I"(_SFR_IO_ADDR(PORTD)), "I"(OUTPUTS_OFF_PIN), "I"(_SFR_IO_ADDR(DDRD)));
}

// After a watchdog reset the watchdog runs on with 16 ms: it is set to 250 ms before memory is cleared.
__attribute__((naked, used, section(".init3"))) void keep_reset_cause(void)
{
	reset_cause = MCUSR;
	MCUSR = 0;
	wdt_reset();
	wdt_enable(WDTO_250MS);
}

void port_outputs(bool on)
{
	if (on)
		PORTD &= (uint8_t)~_BV(OUTPUTS_OFF_PIN);
	else
		PORTD |= _BV(OUTPUTS_OFF_PIN);
}

uint8_t port_lock(void)
{
	uint8_t before = SREG;
	cli();
	return before;
}

void port_unlock(uint8_t before)
{
	SREG = before;
}

uint32_t port_uptime_ms(void)
{
	uint8_t before = port_lock();
	uint32_t now_ms = uptime_ms;
	port_unlock(before);
	return now_ms;
}

void port_wait_us(uint16_t us)
{
	while (us-- > 0)
		_delay_us(1);
}

// The interrupt that nothing in the main loop can hold up: time for the dead-man, outputs off when it says so.
ISR(TIMER2_COMPA_vect)
{
	uptime_ms++;
	legs_tick(&legs, 1);
	tick_ran = 1;
}

ISR(USART_RX_vect)
{
	uint8_t byte = UDR0;
	uint8_t next = (uint8_t)((rx_in + 1u) % RING_BYTES);
	// No room: the byte is lost, and its frame with it; the checksum finds that.
	if (next != rx_out) {
		rx_ring[rx_in] = byte;
		rx_in = next;
	}
}

ISR(USART_UDRE_vect)
{
	UDR0 = tx_ring[tx_out];
	tx_out = (uint8_t)((tx_out + 1u) % RING_BYTES);
	if (tx_out == tx_in)
		UCSR0B &= (uint8_t)~_BV(UDRIE0);
}

void port_send(const uint8_t *wire, uint8_t count)
{
	uint8_t room = (uint8_t)((tx_out + RING_BYTES - 1u - tx_in) % RING_BYTES);
	if (count > room)
		return;
	uint8_t at = tx_in;
	for (uint8_t byte = 0; byte < count; byte++) {
		tx_ring[at] = wire[byte];
		at = (uint8_t)((at + 1u) % RING_BYTES);
	}
	uint8_t before = port_lock();
	tx_in = at;
	UCSR0B |= _BV(UDRIE0);
	port_unlock(before);
}

// Slots in turn, each a count and its complement: a write torn by loss of power leaves the others.
static uint16_t next_boot(void)
{
	uint16_t newest = 0;
	bool any = false;
	for (uint16_t slot = 0; slot < NONCE_SLOTS; slot++) {
		uint16_t count = eeprom_read_word((const uint16_t *)(slot * 4u));
		uint16_t complement = eeprom_read_word((const uint16_t *)(slot * 4u + 2u));
		// Newer by distance, so that the count may wrap.
		if (count == (uint16_t)~complement && (!any || (int16_t)(count - newest) > 0)) {
			newest = count;
			any = true;
		}
	}
	uint16_t next = (uint16_t)(newest + 1u);
	uint16_t slot = next % NONCE_SLOTS;
	eeprom_update_word((uint16_t *)(slot * 4u), next);
	eeprom_update_word((uint16_t *)(slot * 4u + 2u), (uint16_t)~next);
	return next;
}

uint32_t port_next_nonce(void)
{
	static uint32_t nonce;
	if ((uint8_t)nonce == 0)
		nonce = (uint32_t)next_boot() << 8;
	return ++nonce;
}

static bool bus_step(uint8_t control, uint8_t expected)
{
	TWCR = (uint8_t)(_BV(TWINT) | _BV(TWEN) | control);
	for (uint16_t patience = BUS_PATIENCE; !(TWCR & _BV(TWINT)); patience--) {
		if (patience == 0)
			return false;
	}
	return (TWSR & 0xf8) == expected;
}

static bool bus_byte(uint8_t byte, uint8_t expected)
{
	TWDR = byte;
	return bus_step(0, expected);
}

static bool bus_end(bool good)
{
	TWCR = _BV(TWINT) | _BV(TWEN) | _BV(TWSTO);
	uint16_t patience = BUS_PATIENCE;
	while ((TWCR & _BV(TWSTO)) && patience > 0)
		patience--;
	if (patience == 0)
		TWCR = 0;
	return good && patience > 0;
}

bool port_bus_write(uint8_t address, const uint8_t *bytes, uint8_t count)
{
	bool good = bus_step(_BV(TWSTA), 0x08) && bus_byte((uint8_t)(address << 1), 0x18);
	for (uint8_t at = 0; good && at < count; at++)
		good = bus_byte(bytes[at], 0x28);
	return bus_end(good);
}

bool port_bus_read(uint8_t address, uint8_t reg, uint8_t *value)
{
	bool good = bus_step(_BV(TWSTA), 0x08) && bus_byte((uint8_t)(address << 1), 0x18) && bus_byte(reg, 0x28) && bus_step(_BV(TWSTA), 0x10) &&
		bus_byte((uint8_t)(address << 1 | 1u), 0x40) && bus_step(0, 0x58);
	*value = TWDR;
	return bus_end(good);
}

static void set_up(void)
{
	TWBR = BUS_DIVIDER;
	UBRR0 = BAUD_DIVIDER;
	UCSR0A = _BV(U2X0);
	UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
	UCSR0B = _BV(RXEN0) | _BV(TXEN0) | _BV(RXCIE0);
	TCCR2A = _BV(WGM21);
	OCR2A = TICK_COUNTS;
	TIMSK2 = _BV(OCIE2A);
	TCCR2B = _BV(CS22);
}

// One turn of the main loop. The watchdog is fed here only, and only if the timer interrupt ran since.
__attribute__((noinline)) void turn(void)
{
	for (uint8_t count = 0; count < RING_BYTES && rx_out != rx_in; count++) {
		uint8_t byte = rx_ring[rx_out];
		rx_out = (uint8_t)((rx_out + 1u) % RING_BYTES);
		legs_byte(&legs, byte);
	}
	legs_turn(&legs);
	if (tick_ran) {
		tick_ran = 0;
		wdt_reset();
	}
}

int main(void)
{
	legs_init(&legs, BOARD_LEG_BOARD, reset_cause, firmware_hash);
	set_up();
	legs_hello(&legs);
	sei();
	for (;;)
		turn();
}
