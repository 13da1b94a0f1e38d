// Places of LZMA's probabilities in one array.
const STATES = 12;
export const IS_MATCH = 0;
export const IS_REP = IS_MATCH + (STATES << 4);
export const IS_REP0 = IS_REP + STATES;
export const IS_REP1 = IS_REP0 + STATES;
export const IS_REP2 = IS_REP1 + STATES;
export const IS_REP0_LONG = IS_REP2 + STATES;
export const SLOT = IS_REP0_LONG + (STATES << 4);
export const SPECIAL = SLOT + 4 * 64;
export const ALIGN = SPECIAL + 128;
export const LENGTH = ALIGN + 16;
export const REP_LENGTH = LENGTH + 2 + 2 * 128 + 256;
export const LITERAL = REP_LENGTH + 2 + 2 * 128 + 256;
/** Of a length: where its trees for 2 to 9 and for 10 to 17, one for each position, and for 18 to 273 begin. */
export const LOW = 2;
export const MIDDLE = 130;
export const HIGH = 258;
/** A probability of one half. */
export const HALF = 1024;

/** The state behind a literal. */
export function afterLiteral(state: number): number {
  return state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
}
