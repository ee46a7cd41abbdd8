// What can be told of a page without eyes: contrast, labels, widths, headings. Evaluates to a list of faults.
(() => {
  const faults = [];
  const parse = (text) => {
    const parts = text.match(/[\d.]+/g);
    if (!parts) return null;
    const scale = text.startsWith("color(") ? 255 : 1;
    const [r, g, b] = parts.slice(0, 3).map((part) => part * scale);
    return { r, g, b, a: parts.length > 3 ? Number(parts[3]) : 1 };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a),
    g: top.g * top.a + below.g * (1 - top.a),
    b: top.b * top.a + below.b * (1 - top.a),
    a: 1,
  });
  const light = ({ r, g, b }) => {
    const channel = (value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  };
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour && colour.a > 0) layers.push(colour);
      if (colour && colour.a === 1) break;
    }
    return layers.reduceRight((below, top) => over(top, below), { r: 255, g: 255, b: 255, a: 1 });
  };
  const shown = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && element.checkVisibility({ visibilityProperty: true });
  };

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element || !shown(element)) continue;
    if (element.closest("title, option, script")) continue;
    const style = getComputedStyle(element);
    const ink = parse(element.closest("svg") ? style.fill : style.color);
    if (!ink) continue;
    const paper = ground(element);
    const [dark, bright] = [light(over(ink, paper)), light(paper)].sort((a, b) => a - b);
    const ratio = (bright + 0.05) / (dark + 0.05);
    if (ratio < 4.5) {
      const text = walker.currentNode.textContent.trim().slice(0, 40);
      faults.push(`contrast ${ratio.toFixed(2)} of "${text}" (${element.className.baseVal ?? element.className})`);
    }
  }

  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (!field.labels || field.labels.length === 0) faults.push(`no label: ${field.id || field.name}`);
  }
  for (const link of document.querySelectorAll("a, button, summary")) {
    if (!link.textContent.trim() && !link.getAttribute("aria-label")) faults.push(`no name: ${link.outerHTML.slice(0, 80)}`);
  }
  for (const picture of document.querySelectorAll("svg[role=img]")) {
    if (!picture.getAttribute("aria-label")) faults.push("a picture without words");
  }
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) faults.push(`twice the id ${id}`);
  let level = 0;
  const headings = [...document.querySelectorAll("h1, h2, h3")].filter((heading) => heading.checkVisibility());
  for (const heading of headings) {
    const own = Number(heading.tagName[1]);
    if (own > level + 1) faults.push(`a heading leaps to ${heading.tagName}: ${heading.textContent.slice(0, 40)}`);
    level = own;
  }
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one first heading");
  if (document.documentElement.lang !== "en" || !document.title || !document.querySelector("main")) faults.push("no language, title or main part");
  if (document.documentElement.scrollWidth > innerWidth) {
    const wide = [...document.querySelectorAll("main *")].filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !element.closest(".scroll, pre, .hidden"));
    faults.push(`wider than the window: ${wide.slice(0, 3).map((element) => element.tagName + "." + (element.className.baseVal ?? element.className)).join(", ")}`);
  }
  if (document.querySelector("[style]")) faults.push("a style attribute");
  const small = [...document.querySelectorAll("button, input:not([type=hidden]), select")].filter((element) => shown(element) && element.getBoundingClientRect().height < 24);
  for (const element of small) faults.push(`hard to hit: ${element.outerHTML.slice(0, 60)}`);
  return faults;
})();
