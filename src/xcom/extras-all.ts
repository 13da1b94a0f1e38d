import { readAliases } from "./aliases.js";
import { allowedTypes } from "./allow-list.js";
import { serializers } from "./choose.js";
import type { Extras } from "./extras.js";
import { keyTemplates } from "./layouts/template.js";

/** For those who do not count bytes. */
export const ALL_EXTRAS: Extras = { ...keyTemplates, ...readAliases, ...serializers, ...allowedTypes };
