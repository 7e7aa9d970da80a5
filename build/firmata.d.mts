// What tests use of firmata.mjs.
/** StandardFirmata 2.4 for the Arduino Uno, as Intel hex. */
export const STANDARD_FIRMATA: string;
