// Makes the page quick: everything it does also works without it, by links and forms.
"use strict";

const LIVE = "[data-live]";
const PICTURES = "[data-initials]";
const failed = new Set();
let queue = Promise.resolve();

// --- Acting without a reload: a form or link is sent, and the parts that live are put in place of the old.

document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-swap]");
  if (!form) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form));
  swap(form.action, { method: "POST", body }, form.querySelector("[data-key]"));
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  swap(link.href, {}, link);
});

function swap(address, options, from) {
  queue = queue.then(() => load(address, options, from));
  return queue;
}

async function load(address, options, from) {
  const main = document.getElementById("main");
  main.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { ...options, headers: { Accept: "text/html" } });
    if (answer.status === 401) return location.reload();
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    const problem = next.querySelector("[data-problem]");
    if (problem) return tell(problem.dataset.problem);
    show(next, from, options.method ? null : answer.url);
  } catch {
    tell("The service does not answer. Nothing was shown anew; try again.");
  } finally {
    main.removeAttribute("aria-busy");
  }
}

function show(next, from, address) {
  const before = listed(document);
  const place = placeOf(from);
  const open = [...document.querySelectorAll("details[open][id]")].map((details) => details.id);
  for (const id of open) next.getElementById(id)?.setAttribute("open", "");
  for (const picture of next.querySelectorAll(PICTURES)) if (failed.has(addressOf(picture))) standIn(picture);
  for (const part of document.querySelectorAll(LIVE)) {
    const fresh = next.getElementById(part.id);
    if (fresh) part.replaceChildren(...fresh.childNodes);
  }
  oneStopALane();
  document.title = next.title;
  if (address) history.replaceState(null, "", address);
  tellChanges(before);
  if (place) focusAgain(place);
}

function listed(root) {
  return new Set([...root.querySelectorAll("#lists .own [data-item]")].map((item) => item.dataset.item));
}

function tellChanges(before) {
  const items = [...document.querySelectorAll("#lists .own [data-item]")];
  const fresh = items.filter((item) => !before.has(item.dataset.item));
  if (before.size) fresh.forEach((item) => item.classList.add("is-new"));
  const told = document.querySelector("[data-changes]");
  if (told && before.size) {
    told.textContent = fresh.length ? `New in the list: ${fresh.length} of ${items.length} items.` : "The list stays as it was.";
  }
}

// Focus stays where it was: on the same thing, or on what now stands in its place.
function placeOf(from) {
  if (!from || !from.dataset.key) return null;
  const key = from.dataset.key;
  const kind = key.split(":").slice(0, 2).join(":");
  return { key, kind, at: keyed(kind).indexOf(from), hadFocus: from === document.activeElement || from.contains(document.activeElement) };
}

function keyed(kind) {
  return [...document.querySelectorAll("[data-key]")].filter((one) => one.dataset.key.startsWith(kind));
}

function focusAgain(place) {
  if (!place.hadFocus && document.activeElement !== document.body) return;
  const same = document.querySelector(`[data-key="${CSS.escape(place.key)}"]`);
  const others = keyed(place.kind);
  const found = same || others[Math.min(Math.max(place.at, 0), others.length - 1)] || document.getElementById("main");
  found.focus({ preventScroll: true });
}

function tell(text) {
  const notice = document.getElementById("notice") || document.getElementById("summary");
  if (!notice) return alert(text);
  const line = document.createElement("p");
  line.className = "notice-line refused";
  line.textContent = text;
  notice.replaceChildren(line);
}

// --- Where a picture cannot be loaded its item's initials stand, as they do where there is none.

function addressOf(picture) {
  return picture.getAttribute("src") || picture.getAttribute("href");
}

function standIn(picture) {
  failed.add(addressOf(picture));
  picture.replaceWith(picture.localName === "image" ? initialsInCircle(picture) : initials(document.createElement("span"), picture));
}

function initials(element, picture) {
  element.setAttribute("class", "initials");
  element.setAttribute("aria-hidden", "true");
  element.textContent = picture.dataset.initials;
  return element;
}

function initialsInCircle(picture) {
  const [group, circle, text] = ["g", "circle", "text"].map((name) => document.createElementNS("http://www.w3.org/2000/svg", name));
  circle.setAttribute("class", "blank");
  circle.setAttribute("r", "15");
  group.append(circle, initials(text, picture));
  return group;
}

document.addEventListener("error", (event) => { if (event.target.matches?.(PICTURES)) standIn(event.target); }, true);

// Those that failed before this script ran. Only decode() says it of all: a drawing without a size has no width either.
for (const picture of document.querySelectorAll(PICTURES)) {
  const mayBeBroken = picture.localName === "image" || (picture.complete && !picture.naturalWidth);
  if (mayBeBroken) picture.decode?.().catch(() => { if (picture.isConnected) standIn(picture); });
}

// --- The timeline: Tab stops once in a lane, at its newest dot; arrows go along it, and a line says what a dot is.

function dotsOf(lane) {
  return [...lane.querySelectorAll("a")];
}

function oneStopALane() {
  for (const lane of document.querySelectorAll(".dots")) stopAt(dotsOf(lane), -1);
  sayDot(null);
}

function stopAt(dots, place) {
  dots.forEach((dot) => dot.setAttribute("tabindex", String(dot === dots.at(place) ? 0 : -1)));
}

function sayDot(target) {
  const line = document.querySelector(".told");
  if (!line) return;
  const dot = target?.closest(".dots a") || document.activeElement?.closest(".dots a");
  line.dataset.rest ??= line.textContent + (matchMedia("(hover: hover) and (min-width: 40rem)").matches ? " Arrow keys go from dot to dot." : "");
  line.textContent = dot ? dot.querySelector("title").textContent : line.dataset.rest;
}

for (const kind of ["pointerover", "focusin", "focusout"]) {
  document.addEventListener(kind, (event) => sayDot(kind === "focusout" ? event.relatedTarget : event.target));
}

document.addEventListener("keydown", (event) => {
  const dot = event.target.closest(".dots a");
  if (!dot || event.ctrlKey || event.metaKey || event.altKey) return;
  const dots = dotsOf(dot.closest(".dots"));
  const at = dots.indexOf(dot);
  const place = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: dots.length - 1 }[event.key];
  if (place === undefined) return;
  event.preventDefault();
  if (!dots[place]) return;
  stopAt(dots, place);
  dots[place].focus();
});

oneStopALane();

// --- Suggestions of users while typing: a combobox with a list of options.

for (const form of document.querySelectorAll("[data-search]")) suggest(form);

function suggest(form) {
  const input = form.querySelector("input");
  const list = Object.assign(document.createElement("ul"), { className: "suggestions", id: `${input.id}-suggestions`, hidden: true });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Users");
  form.append(list);
  const attributes = { role: "combobox", "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false" };
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
  let asked = 0;
  let timer = 0;

  const options = () => [...list.children];
  const chosen = () => options().findIndex((option) => option.ariaSelected === "true");
  const close = () => { list.hidden = true; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); };
  const choose = (at) => {
    options().forEach((option, place) => { option.ariaSelected = String(place === at); });
    const option = options()[at];
    if (!option) return input.removeAttribute("aria-activedescendant");
    input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  };

  const ask = async () => {
    const mine = ++asked;
    if (!input.value.trim()) return close();
    try {
      const answer = await fetch(`/suggestions?q=${encodeURIComponent(input.value.trim())}`, { headers: { Accept: "application/json" } });
      if (!answer.ok || mine !== asked) return;
      fill(await answer.json());
    } catch { close(); }
  };

  const fill = (users) => {
    list.replaceChildren(...users.map((user, place) => {
      const option = Object.assign(document.createElement("li"), { id: `${list.id}-${place}`, textContent: user.user_id });
      option.setAttribute("role", "option");
      option.ariaSelected = "false";
      option.dataset.link = user.link;
      option.addEventListener("mousedown", (event) => { event.preventDefault(); location.assign(user.link); });
      return option;
    }));
    list.hidden = !users.length;
    input.setAttribute("aria-expanded", String(users.length > 0));
  };

  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 90); });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    const n = options().length;
    if (event.key === "Escape") return close();
    if (list.hidden || !n) return;
    if (event.key === "ArrowDown") { event.preventDefault(); choose((chosen() + 1) % n); }
    if (event.key === "ArrowUp") { event.preventDefault(); choose((chosen() + n - (chosen() < 0 ? 0 : 1)) % n); }
    if (event.key === "Enter" && chosen() >= 0) { event.preventDefault(); location.assign(options()[chosen()].dataset.link); }
  });
}

// --- The system page looks again every 5 s, while it is seen and not told to stop.

const watch = document.querySelector("[data-watch]");
if (watch) {
  watch.hidden = false;
  watch.addEventListener("click", () => watch.setAttribute("aria-pressed", String(watch.getAttribute("aria-pressed") !== "true")));
  setInterval(() => {
    if (watch.getAttribute("aria-pressed") === "true" && !document.hidden) swap(location.href, {}, null);
  }, 5000);
}
