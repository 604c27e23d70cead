// Shows /admin/status to who has a token. Nothing is kept: no cookie, no storage; the token is in memory
// and goes with the page. Text is only ever put into text nodes.
"use strict";

const EVERY = 5000;
const WORDS = {
  en: {
    title: "Susurro relay: status", ask: "Access token of an administrator", go: "Show", leave: "Forget the token",
    hint: "susurro-server admin token NAME prints one, good for an hour. It stays in the memory of this page and is forgotten when the page is closed or loaded again.",
    begin: "For the administrators of this relay.", asking: "Asking the relay…", silent: "The relay does not answer; asking again.",
    later: "The relay cannot say now; asking again.", denied: "This account does not administer the relay.",
    stale: "This token is not good, or no longer.", wrong: "This is no access token.", asOf: "As of {}, asked every 5 seconds.",
    software: "Version", up: "up for {}", connections: "Connections", here: "to this node", stored: "Messages stored",
    delivered: "Messages delivered", rate: "{} a second", waiting: "Waiting", inBoxes: "messages in mailboxes",
    storage: "Storage", database: "the database", accounts: "Accounts", disabled: "{} disabled", noneDisabled: "none disabled",
    registration: "Registration", open: "open", invite: "by invite", closed: "closed", nodes: "Nodes",
    alone: "This relay has one node.", node: "Node", heard: "Heard", thisOne: "this one", ago: "{} s ago",
  },
  es: {
    title: "Relay de Susurro: estado", ask: "Token de acceso de un administrador", go: "Mostrar", leave: "Olvidar el token",
    hint: "susurro-server admin token NOMBRE imprime uno, válido durante una hora. Queda en la memoria de esta página y se olvida al cerrarla o cargarla de nuevo.",
    begin: "Para los administradores de este relay.", asking: "Preguntando al relay…", silent: "El relay no responde; se pregunta de nuevo.",
    later: "El relay no puede responder ahora; se pregunta de nuevo.", denied: "Esta cuenta no administra el relay.",
    stale: "Este token no vale, o ya no.", wrong: "Esto no es un token de acceso.", asOf: "A las {}, se pregunta cada 5 segundos.",
    software: "Versión", up: "en marcha desde hace {}", connections: "Conexiones", here: "a este nodo", stored: "Mensajes guardados",
    delivered: "Mensajes entregados", rate: "{} por segundo", waiting: "En espera", inBoxes: "mensajes en buzones",
    storage: "Almacenamiento", database: "la base de datos", accounts: "Cuentas", disabled: "{} desactivadas", noneDisabled: "ninguna desactivada",
    registration: "Registro", open: "abierto", invite: "con invitación", closed: "cerrado", nodes: "Nodos",
    alone: "Este relay tiene un solo nodo.", node: "Nodo", heard: "Oído", thisOne: "este", ago: "hace {} s",
  },
};

const at = (id) => document.getElementById(id);
let language = navigator.languages.map((wanted) => wanted.slice(0, 2)).find((wanted) => WORDS[wanted]) || "en";
let token = null;
let timer = null;
let before = null;
let now = null;
let said = ["begin", false];

const word = (name, value) => WORDS[language][name].replace("{}", value);
const number = (count) => count.toLocaleString(language);

function say(name, bad) {
  said = [name, Boolean(bad)];
  const time = now && new Date(now.time).toLocaleTimeString(language);
  at("line").textContent = word(name, time);
  at("line").className = bad ? "bad" : "";
}

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) { count /= 1024; unit += 1; }
  return count.toLocaleString(language, { maximumFractionDigits: unit ? 1 : 0 }) + " " + units[unit];
}

function span(milliseconds) {
  const minutes = Math.max(0, Math.floor(milliseconds / 60000));
  if (minutes < 60) return minutes + " min";
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? hours + " h " + (minutes % 60) + " min" : Math.floor(hours / 24) + " d";
}

function rate(name) {
  if (!before || before.started !== now.started || now.time <= before.time || now[name] < before[name]) return "…";
  const each = (now[name] - before[name]) * 1000 / (now.time - before.time);
  return word("rate", each.toLocaleString(language, { maximumFractionDigits: 1 }));
}

function element(kind, text, kinds) {
  const made = document.createElement(kind);
  made.textContent = text;
  if (kinds) made.className = kinds;
  return made;
}

function show() {
  const { disabled, registration } = now;
  const cards = [
    ["connections", number(now.connections), word("here")],
    ["stored", number(now.stored), rate("stored")],
    ["delivered", number(now.delivered), rate("delivered")],
    ["waiting", number(now.waiting), word("inBoxes")],
    ["storage", bytes(now.storage_bytes), word("database")],
    ["accounts", number(now.accounts), disabled ? word("disabled", number(disabled)) : word("noneDisabled")],
    ["registration", WORDS[language][registration] ? word(registration) : registration, ""],
    ["software", now.software, word("up", span(now.time - now.started))],
  ];
  at("figures").replaceChildren(...cards.map(([name, large, small]) => {
    const card = document.createElement("div");
    card.id = "figure-" + name;
    card.append(element("dt", word(name)), element("dd", large, "large"), element("dd", small, "small"));
    return card;
  }));
  at("alone").hidden = now.nodes.length > 0;
  at("nodes").hidden = now.nodes.length === 0;
  at("node-rows").replaceChildren(...now.nodes.map((node) => {
    const row = document.createElement("tr");
    const heard = node.here ? word("thisOne") : word("ago", number(Math.round(node.quiet / 1000)));
    row.append(element("td", node.node), element("td", number(node.connections), "number"), element("td", heard, "number"));
    return row;
  }));
}

function forget(name, bad) {
  clearTimeout(timer);
  [token, before, now] = [null, null, null];
  at("shown").hidden = true;
  at("enter").hidden = false;
  at("figures").replaceChildren();
  at("node-rows").replaceChildren();
  say(name, bad);
}

async function look() {
  const asked = token;
  let answer, status;
  try {
    answer = await fetch("/admin/status", { headers: { authorization: "Bearer " + asked }, cache: "no-store", credentials: "omit", redirect: "error" });
    if (answer.ok) status = await answer.json();
  } catch {
    answer = null;
  }
  // Forgotten, or another one, while the relay was asked.
  if (asked !== token) return;
  if (status) {
    [before, now] = [now, status];
    show();
    at("shown").hidden = false;
    say("asOf");
  } else if (!answer || answer.ok) {
    say("silent", true);
  } else if (answer.status === 429 || answer.status >= 500) {
    say("later", true);
  } else {
    return forget(answer.status === 403 ? "denied" : "stale", true);
  }
  timer = setTimeout(look, EVERY);
}

function speak(chosen) {
  language = chosen;
  document.documentElement.lang = chosen;
  document.title = word("title");
  for (const id of ["title", "ask", "go", "leave", "hint", "alone", "node"]) at(id).textContent = word(id);
  for (const [id, name] of [["nodes-title", "nodes"], ["node-connections", "connections"], ["node-heard", "heard"]]) at(id).textContent = word(name);
  for (const id of ["en", "es"]) at(id).setAttribute("aria-pressed", String(id === chosen));
  say(...said);
  if (now) show();
}

at("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const shown = at("token").value.trim();
  at("token").value = "";
  // Only what a token consists of may become part of a header.
  if (!/^[A-Za-z0-9_.-]+$/.test(shown)) return say("wrong", true);
  token = shown;
  at("enter").hidden = true;
  say("asking");
  look();
});
at("leave").addEventListener("click", () => forget("begin"));
for (const id of ["en", "es"]) at(id).addEventListener("click", () => speak(id));

at("languages").hidden = false;
at("enter").hidden = false;
speak(language);
