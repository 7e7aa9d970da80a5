// Connects dots, lines and letters to a PNG file, without a browser or a library.
import { crc32, deflateSync } from "node:zlib";
import { columnsOf } from "./picture-letters.ts";

export type Colour = readonly [red: number, green: number, blue: number];

const LETTER_ROWS = 8;
/** Five columns and one between letters. */
const LETTER_COLUMNS = 6;

/** Width of a text, dots. */
export const widthOf = (text: string, scale: number): number => text.length * LETTER_COLUMNS * scale;

const chunk = (type: string, data: Uint8Array): Buffer => {
	const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
	const framed = Buffer.alloc(body.length + 8);
	framed.writeUInt32BE(data.byteLength, 0);
	body.copy(framed, 4);
	framed.writeUInt32BE(crc32(body), body.length + 4);
	return framed;
};

export class Canvas {
	readonly #width: number;
	readonly #height: number;
	/** One filter byte, then red, green and blue of each dot, row by row: as PNG wants it. */
	readonly #rows: Uint8Array;

	constructor(width: number, height: number, paper: Colour) {
		this.#width = width;
		this.#height = height;
		this.#rows = new Uint8Array(height * (1 + width * 3));
		this.box(0, 0, width, height, paper);
	}

	box(x: number, y: number, width: number, height: number, colour: Colour): void {
		for (let row = Math.max(0, y); row < Math.min(this.#height, y + height); row++)
			for (let column = Math.max(0, x); column < Math.min(this.#width, x + width); column++)
				this.#rows.set(colour, row * (1 + this.#width * 3) + 1 + column * 3);
	}

	/** Three dots thick, with no gaps. */
	line(fromX: number, fromY: number, toX: number, toY: number, colour: Colour): void {
		const steps = Math.max(1, Math.abs(toX - fromX), Math.abs(toY - fromY));
		for (let step = 0; step <= steps; step++)
			this.box(Math.round(fromX + ((toX - fromX) * step) / steps) - 1, Math.round(fromY + ((toY - fromY) * step) / steps) - 1, 3, 3, colour);
	}

	/** `x`, `y`: of the upper left dot. */
	text(x: number, y: number, text: string, scale: number, colour: Colour): void {
		for (const [index, letter] of [...text].entries()) {
			for (const [column, dots] of columnsOf(letter).entries()) {
				for (let row = 0; row < LETTER_ROWS; row++)
					if ((dots & (1 << row)) !== 0) this.box(x + (index * LETTER_COLUMNS + column) * scale, y + row * scale, scale, scale, colour);
			}
		}
	}

	png(): Uint8Array {
		const head = Buffer.alloc(13);
		head.writeUInt32BE(this.#width, 0);
		head.writeUInt32BE(this.#height, 4);
		// Eight bits a colour, red green blue, no interlacing.
		head.set([8, 2, 0, 0, 0], 8);
		const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
		return new Uint8Array(Buffer.concat([signature, chunk("IHDR", head), chunk("IDAT", deflateSync(this.#rows)), chunk("IEND", new Uint8Array(0))]));
	}
}
