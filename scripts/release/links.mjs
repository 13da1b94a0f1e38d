/** Links and pictures of Markdown that leaves the repository: in the tarball, relative ones lead nowhere. */
import { posix } from "node:path";

/** A link or a picture with its text: `[text](target)`, `![text](target)`. Code is skipped by the first two branches. */
const LINK = /(```[\s\S]*?\n```|`[^`\n]*`)|(!?)\[((?:[^[\]]|\[[^[\]]*\])*)\]\(([^()\s]+)\)/g;

const isAbsolute = (/** @type {string} */ target) => /^[a-z][a-z\d+.-]*:/i.test(target);

/**
 * Returns all links and pictures outside of code.
 * @param {string} markdown
 * @returns {{ picture: boolean, text: string, target: string }[]}
 */
export function linksOf(markdown) {
  const found = [...markdown.matchAll(LINK)].filter(([, code]) => code === undefined);
  return found.map(([, , mark, text = "", target = ""]) => ({ picture: mark === "!", text, target }));
}

/**
 * Returns the Markdown for a tarball: links to files that the tarball has stay, other relative ones become addresses in
 * the repository. Without the address of the repository, their text stays and pictures go.
 * @param {string} markdown
 * @param {{ file: string, packed: Set<string>, isFolder: (path: string) => boolean, repository: string, ref: string }} to
 *   `file` is the Markdown's own path in the repository, `ref` the tag that addresses name
 */
export function packedMarkdown(markdown, { file, packed, isFolder, repository, ref }) {
  const replaced = markdown.replace(LINK, (whole, code, mark, text, target) => {
    if (code !== undefined || isAbsolute(target) || target.startsWith("#")) return whole;
    const [, path = "", hash = ""] = /^([^#]*)(#.*)?$/.exec(target) ?? [];
    const inside = posix.join(posix.dirname(file), path);
    const picture = mark === "!";
    if (!picture && packed.has(inside)) return whole;
    if (repository === "") return picture ? "" : text;
    const kind = picture ? "raw" : isFolder(inside) ? "tree" : "blob";
    return `${mark}[${text}](${repository}/${kind}/${ref}/${inside}${hash})`;
  });
  return replaced.replace(/\n{3,}/g, "\n\n");
}

/**
 * Returns the links of a packed file that lead nowhere: relative ones to files that are not packed, and pictures that are
 * not absolute, which the pages of a registry cannot show.
 * @param {string} markdown
 * @param {string} file
 * @param {Set<string>} packed
 */
export function deadInTarball(markdown, file, packed) {
  return linksOf(markdown).flatMap(({ picture, target }) => {
    if (isAbsolute(target)) return target.startsWith("https:") ? [] : [target];
    if (picture) return [target];
    if (target.startsWith("#")) return [];
    return packed.has(posix.join(posix.dirname(file), target.replace(/#.*$/, ""))) ? [] : [target];
  });
}

/**
 * Returns the relative links of a file of the repository that lead to no file, no folder or no heading.
 * @param {string} markdown
 * @param {string} file
 * @param {{ exists: (path: string) => boolean, anchors: (path: string) => Set<string> }} tree
 */
export function deadInTree(markdown, file, { exists, anchors }) {
  return linksOf(markdown).flatMap(({ target }) => {
    if (isAbsolute(target)) return [];
    const [, path = "", hash = ""] = /^([^#]*)(#.*)?$/.exec(target) ?? [];
    const inside = path === "" ? file : posix.join(posix.dirname(file), path);
    if (!exists(inside)) return [target];
    const isMarkdown = hash !== "" && inside.endsWith(".md");
    return isMarkdown && !anchors(inside).has(decodeURIComponent(hash.slice(1))) ? [target] : [];
  });
}
