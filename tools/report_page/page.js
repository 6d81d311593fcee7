// The page: tiles, tables, and the charts of the chosen pipeline; drawn anew when the colours change.
"use strict";

const figures = JSON.parse(document.getElementById("figures").textContent);
const phone = matchMedia("(max-width: 760px)");
const dark = matchMedia("(prefers-color-scheme: dark)");
const of = (list, key) => list.filter((row) => row.pipeline_key === key).map((row) => ({ ...row }));
let chosen = figures.pipelines.length ? figures.pipelines[0].pipeline_key : null;

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text != null) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["card", "ink", "quiet", "line", "blue", "pale", "teal", "coral", "amber", "violet", "grey"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

function minutes(value) {
  if (value == null) return "–";
  if (value < 90) return `${Math.round(value)} min`;
  return value < 60 * 48 ? `${(value / 60).toFixed(1)} h` : `${Math.round(value / 1440)} days`;
}

function tiles() {
  const all = figures.totals[0];
  const won = figures.pipelines.reduce((sum, row) => sum + row.won, 0);
  const closed = figures.pipelines.reduce((sum, row) => sum + row.won + row.lost, 0);
  const money = (amount) => (amount ? `${short.format(amount)} in them` : "");
  const list = [
    ["Open boxes", number.format(all.open), money(all.open_amount)],
    ["Won in 90 days", number.format(all.won), money(all.won_amount)],
    ["Won of all closed", share(won, closed), `${number.format(won)} of ${number.format(closed)}`],
    ["Time to reply", minutes(all.reply_minutes), "median, 90 days"],
    ["Stale boxes", number.format(all.stale), money(all.stale_amount)],
    ["Overdue tasks", number.format(all.overdue_tasks || 0), `in ${number.format(all.overdue_boxes)} boxes`],
  ];
  document.getElementById("tiles").replaceChildren(...list.map(([what, figure, more]) => {
    const tile = element("div", null, "tile");
    tile.append(element("div", what, "what"), element("div", figure, "figure"), element("div", more, "more"));
    return tile;
  }));
}

function table(id, heads, lines, each) {
  const head = document.createElement("thead");
  const line = element("tr");
  heads.forEach(([text, kind]) => line.append(element("th", text, kind)));
  head.append(line);
  const body = document.createElement("tbody");
  lines.forEach((row) => {
    const drawn = element("tr");
    each(row, drawn).forEach((cell, place) => {
      const made = element("td", null, heads[place][1]);
      made.append(cell instanceof Node ? cell : document.createTextNode(cell == null ? "" : cell));
      drawn.append(made);
    });
    body.append(drawn);
  });
  document.getElementById(id).replaceChildren(head, body);
}

function pipelines() {
  const heads = [["Pipeline"], ["Open", "number"], ["Won", "number"], ["Lost", "number"], ["Won of closed", "number small-out"],
    ["Days to win", "number small-out"], ["Open money", "number small-out"], ["Stale", "number"]];
  table("pipelines", heads, figures.pipelines, (row, line) => {
    const choose = () => { chosen = row.pipeline_key; pipelines(); draw(); };
    const button = element("button", row.pipeline || row.pipeline_key);
    button.setAttribute("aria-pressed", row.pipeline_key === chosen);
    line.className = row.pipeline_key === chosen ? "chosen" : "";
    line.addEventListener("click", choose);
    return [button, number.format(row.open), number.format(row.won), number.format(row.lost), share(row.won, row.won + row.lost),
      days(row.days), row.open_amount ? short.format(row.open_amount) : "–", number.format(row.stale)];
  });
}

function staleBoxes() {
  const heads = [["Box"], ["Pipeline", "small-out"], ["Stage", "small-out"], ["Owner"], ["Days untouched", "number"], ["Money", "number"]];
  table("stale-boxes", heads, figures.stale_boxes, (row) => [
    row.box, row.pipeline, row.stage, row.owner, number.format(row.days), row.amount == null ? "" : number.format(row.amount)]);
}

function say(id, text) { document.getElementById(id).textContent = text; }

function notes(stages, list, long) {
  const name = (figures.pipelines.find((row) => row.pipeline_key === chosen) || {}).pipeline || "";
  const won = stages.filter((stage) => stage.status === "won").reduce((sum, stage) => sum + stage.reached, 0);
  const worst = [...stages].sort((a, b) => b.lost_here - a.lost_here)[0];
  say("funnel-note", stages.length ? `${name}: ${won} of ${stages[0].reached} are won.` + (worst.lost_here ? ` Most are lost from ${worst.stage} (${worst.lost_here}).` : "") : name);
  const best = [...list].sort((a, b) => b.created - a.created)[0];
  const when = best && new Date(best.month).toLocaleDateString("en", { month: "long", year: "numeric", timeZone: "UTC" });
  say("months-note", best && best.created ? `${name}, by month. Most came in ${when} (${best.created}).` : `${name}, by month.`);
  say("velocity-note", `${name}, money a day: open boxes × win rate × average deal ÷ days to win, over three months.`);
  const slow = [...long].sort((a, b) => b.half - a.half)[0];
  say("stays-note", slow ? `${name}. The bar spans the middle half, the tick is the median. Slowest: ${slow.stage}.` : name);
}

function show(id, spec, list) {
  const place = document.getElementById(id);
  if (!list.length) return place.replaceChildren(element("div", "Nothing to show here.", "nothing"));
  const config = look(colours());
  return vegaEmbed(place, { $schema: "https://vega.github.io/schema/vega-lite/v6.json", ...spec, config },
    { actions: false, renderer: "svg", tooltip: { theme: dark.matches ? "dark" : "light" } });
}

function draw() {
  const c = colours(), narrow = phone.matches;
  const stages = of(figures.funnel, chosen), list = of(figures.months, chosen), long = of(figures.stays, chosen);
  const money = list.filter((row) => row.velocity != null);
  notes(stages, list, long);
  return Promise.all([
    show("funnel", funnel(stages, c, narrow), stages),
    show("months", months(list, c), list),
    show("velocity", velocity(money, c), money),
    show("stays", stays(long, c, narrow), long),
    show("weeks", weeks(figures.weeks, c, narrow), figures.weeks),
    show("tasks", tasks(figures.task_load, c, narrow), figures.task_load),
    show("stale-owners", staleOwners(figures.stale_owners, c, narrow), figures.stale_owners),
  ]);
}

function begin() {
  const teams = figures.teams.map((team) => team.name).filter(Boolean).join(", ");
  say("title", teams ? `${teams} in Streak` : "Streak report");
  const today = new Date(figures.today).toLocaleDateString("en", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  say("subtitle", `As of ${today}`);
  tiles();
  pipelines();
  staleBoxes();
  draw().then(() => document.body.setAttribute("data-drawn", "yes"));
}

if (window.vegaEmbed) begin(); else addEventListener("library", begin);
dark.addEventListener("change", draw);
phone.addEventListener("change", draw);
