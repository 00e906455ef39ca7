"use strict";
(() => {
  const { el, part, pairs } = parts;
  const { file, printed, layers } = JSON.parse(document.getElementById("data").textContent);
  const panel = document.getElementById("panel");
  const graph = document.getElementById("graph");
  const table = document.getElementById("table");
  const hint = panel.innerHTML;
  const inBox = new Map();
  for (const layer of layers) {
    if (layer.box !== null) inBox.set(layer.box, [...(inBox.get(layer.box) || []), layer.index]);
  }
  let chosen = null;

  const picture = parts.picture(graph, "", (key) => {
    const inside = inBox.get(key);
    if (inside) choose(inside[0], { pan: false });
  });
  const rows = parts.rows(table.tBodies[0], (row, scroll) => choose(Number(row.dataset.layer), { scroll }));
  parts.sortable(table);

  const name = (index) => layers[index].name || "(no name)";
  const link = (index) =>
    el("a", { href: `#layer-${index}`, "data-layer": index, "aria-current": index === chosen && "true" },
      name(index));

  function chips(list) {
    return list.length ? [el("div", { class: "chips" }, ...list.map(link))] : [];
  }

  function show(layer) {
    const close = el("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
    close.addEventListener("click", clear);
    const fates = { kept: "as it is", changed: "changed", refused: "refused", behind: "not known" };
    const facts = parts.facts(layer);
    facts.push(["conversion", fates[layer.fate.what] + (layer.fate.words && `: ${layer.fate.words}`)]);
    const together = layer.box === null ? [] : inBox.get(layer.box);
    const found = layer.findings.map(([at, severity, words]) =>
      el("li", {}, el("a", { href: `#finding-${at}` }, severity), `: ${words}`));
    panel.replaceChildren(
      close,
      el("h3", {}, layer.name || "(no name)"),
      el("div", { class: "type" }, `${layer.type}, layer ${layer.index + 1} of ${layers.length}`),
      ...part("Blobs and cost", pairs(facts)),
      ...(found.length ? part("Findings", el("ul", {}, ...found)) : []),
      ...(layer.settings.length ? part("Parameters, defaults pale", pairs(layer.settings)) : []),
      ...part("Reads from", ...chips(layer.before)),
      ...part("Read by", ...chips(layer.after)),
      ...parts.source(file, printed, layer),
      ...(together.length > 1 ? part("Shown by the same box", ...chips(together.slice(0, 60))) : []),
    );
    panel.scrollTop = 0;
  }

  function choose(index, { pan = true, scroll = false } = {}) {
    const layer = layers[index];
    if (!layer) return;
    chosen = index;
    picture.unmark();
    picture.mark(layer, pan);
    rows.select(document.getElementById(`layer-${index}`));
    show(layer);
    history.replaceState(null, "", `#layer-${index}`);
    if (scroll) (graph || panel).scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  function clear() {
    chosen = null;
    picture.unmark();
    rows.select(null);
    panel.innerHTML = hint;
    history.replaceState(null, "", location.pathname + location.search);
  }

  document.addEventListener("click", (event) => {
    const found = event.target.closest("a[data-layer]");
    if (!found) return;
    event.preventDefault();
    choose(Number(found.dataset.layer), { scroll: true });
  });

  parts.search(layers, {
    note: (one) => one.type,
    hit: picture.hit,
    take: (one) => choose(one.index, { scroll: true }),
    clear,
  });

  function byHash() {
    const found = /^#layer-(\d+)$/.exec(location.hash);
    if (found) choose(Number(found[1]));
  }
  addEventListener("hashchange", byHash);
  byHash();
})();
