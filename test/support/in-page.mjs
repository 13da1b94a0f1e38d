/** What the test of the documentation site runs inside a page. Each function is sent as text, so it uses nothing else. */

/**
 * Waits until Vue has taken the page over, and describes it.
 *
 * @param {number} width of the page in CSS pixels
 * @returns {Promise<{ links: string[], sidebar: string[], anchors: string[], beyond: string[] }>} the addresses of all
 *   links and of those in the sidebar, all ids, and what is cut off on the right: elements if the page scrolls sideways, or the sidebar
 */
export async function look(width) {
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  while (!document.querySelector("#app")?.__vue_app__) await frame();
  await document.fonts.ready;
  await frame();
  await frame();
  const hrefs = (within) => [...document.querySelectorAll(`${within} a[href]`)].map(({ href }) => href);
  const isBeyond = (element) => {
    const { right, width: own } = element.getBoundingClientRect();
    if (right <= width + 0.5 || own === 0) return false;
    for (let up = element.parentElement; up; up = up.parentElement) {
      if (getComputedStyle(up).overflowX !== "visible" || getComputedStyle(up).position === "fixed") return false;
    }
    return true;
  };
  const whole = document.documentElement.scrollWidth;
  const beyond = [...document.querySelectorAll("body *")].filter((element) => whole > width && isBeyond(element));
  // On a desk's width the sidebar stands beside the text.
  const sidebar = document.querySelector(".VPSidebar");
  const isCut = width > 960 && sidebar !== null && sidebar.scrollWidth > sidebar.clientWidth;
  const described = beyond.map(({ outerHTML }) => outerHTML.slice(0, 120));
  return {
    links: hrefs("body"),
    sidebar: hrefs(".VPSidebar"),
    anchors: [...document.querySelectorAll("[id]")].map(({ id }) => id),
    beyond: [...(whole > width ? [`scrolls to ${whole}`] : []), ...described, ...(isCut ? ["a cut sidebar"] : [])],
  };
}

/**
 * Types words into the site's search and returns the text of the first result.
 *
 * @param {string} words
 * @returns {Promise<string>}
 */
export async function searchFor(words) {
  const found = async (selector) => {
    for (;;) {
      const element = document.querySelector(selector);
      if (element) return element;
      await new Promise((done) => requestAnimationFrame(done));
    }
  };
  (await found(".VPNavBarSearch button")).click();
  const input = await found(".VPLocalSearchBox input");
  input.value = words;
  input.dispatchEvent(new Event("input"));
  return (await found(".VPLocalSearchBox .result")).textContent;
}

/**
 * Puts a file into the form of the page, as a person picks one, and presses its button.
 *
 * @param {string} name
 * @param {string} body
 */
export function submitFile(name, body) {
  const picked = new DataTransfer();
  picked.items.add(new File([body], name, { type: "image/png" }));
  /** @type {HTMLInputElement} */ (document.querySelector("input[type=file]")).files = picked.files;
  /** @type {HTMLButtonElement} */ (document.querySelector("button")).click();
  return true;
}
