// Generated from contracts/schemas by `npm run generate`. Do not edit.
/** A standalone validator: true, or false with the first error. */
export interface ValidateFunction {
	(data: unknown): boolean;
	errors?: readonly { readonly instancePath: string; readonly keyword: string; readonly propertyName?: string; readonly message?: string; readonly params: Readonly<Record<string, unknown>> }[] | null;
}
