/**
 * Writes src/fs/driver/content-types.data.ts: suffixes and their content types, from the npm package `mime-types`.
 *
 * The whole table is 30 KB. We keep the types registered outside the vendor tree and, from the vendor tree and the
 * unregistered `x-` names, common contents of object stores: office documents, archives, data, map and web files.
 */
import { writeFileSync } from "node:fs";
import { types } from "mime-types";

/** Suffixes with a vendor or `x-` type that we keep. */
const KEPT = new Set(
  `doc docx dotx xls xlsx xlsm xltx ppt pptx ppsx odt ods odp odg mpp vsd vsdx msg
   7z bz2 bz deb dmg iso rar rpm tar xz jar apk cab
   arrow arrows feather parquet sqlite sqlite3 ipynb hdf pcap mdb geopackage
   kml kmz gpx osm map
   bmp ico psd wbmp tif mkv flv wmv avi m4v m4a wav flac aac weba
   ttf otf eot crx xpi swf m3u8 latex tex texinfo sh csh tcl cpl srt lua php pl c h java rss
   p12 pfx p7b p7r crt der pem torrent nq rnc msi exe dll`.split(/\s+/),
);

/**
 * Types that the package lacks. Arrow and Parquet: IANA, application/vnd.apache.*. Zstandard: RFC 8878. NDJSON: the
 * type of ndjson-spec, also used for JSON Lines files, since their own is still a proposal. Avro: the type in
 * CloudEvents; its `avro/binary` is not a legal type. Compressed forms: freedesktop's shared-mime-info.
 */
const ADDED = {
  arrow: "application/vnd.apache.arrow.file",
  arrows: "application/vnd.apache.arrow.stream",
  avro: "application/avro",
  jsonl: "application/x-ndjson",
  lz4: "application/x-lz4",
  lzma: "application/x-lzma",
  ndjson: "application/x-ndjson",
  parquet: "application/vnd.apache.parquet",
  snappy: "application/x-snappy-framed",
  tgz: "application/gzip",
  zst: "application/zstd",
};

const chosen = Object.entries(types).filter(([suffix, type]) => KEPT.has(suffix) || !/\/(vnd\.|prs\.|x-)/.test(type));
const table = { ...Object.fromEntries(chosen), ...ADDED };

/** `family` -> `subtype` -> its suffixes. */
const families = new Map();
for (const [suffix, type] of Object.entries(table)) {
  const [family, subtype] = type.split("/");
  const subtypes = families.get(family) ?? new Map();
  families.set(family, subtypes.set(subtype, [...(subtypes.get(subtype) ?? []), suffix]));
}

/**
 * One line per family: `application:json json map,gzip gz tgz,…`. A type whose only suffix is its name stands alone.
 */
const lines = [...families].sort().map(([family, subtypes]) => {
  const entries = [...subtypes].sort().map(([subtype, suffixes]) => {
    return suffixes.length === 1 && suffixes[0] === subtype ? subtype : [subtype, ...suffixes.sort()].join(" ");
  });
  return `${family}:${entries.join(",")}`;
});

writeFileSync(
  new URL("../src/fs/driver/content-types.data.ts", import.meta.url),
  `/** Made by scripts/content-types.mjs from mime-types. Not edited by hand. */\nexport const CONTENT_TYPES =\n  ${JSON.stringify(lines.join("\n"))};\n`,
);
