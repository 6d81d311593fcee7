// What each chart is, in Vega-Lite. `c` are the colours of the page, `narrow` is a phone.
"use strict";

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const share = (part, whole) => (whole ? `${Math.round((100 * part) / whole)}%` : "–");
const days = (value) => (value == null ? "–" : value < 10 ? value.toFixed(1) : number.format(value));

function look(c) {
  const axis = {
    labelColor: c.quiet, titleColor: c.quiet, gridColor: c.line, domainColor: c.line, tickColor: c.line,
    labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelLimit: 130, grid: false,
    domain: false, ticks: false, labelPadding: 6,
  };
  return {
    background: "transparent", font: "system-ui, -apple-system, Segoe UI, Roboto, Noto Sans, sans-serif",
    view: { stroke: null }, axis,
    legend: {
      orient: "top", direction: "horizontal", labelColor: c.ink, labelFontSize: 12, title: null,
      symbolType: "square", symbolSize: 90, columnPadding: 14, rowPadding: 4, offset: 6, columns: 3,
    },
    text: { color: c.ink, fontSize: 12 },
    bar: { cornerRadius: 2 },
  };
}

const wide = { width: "container", autosize: { type: "fit-x", contains: "padding" } };
const rows = (list) => ({ values: list });

function funnel(stages, c, narrow) {
  const parts = [];
  stages.forEach((stage, place) => {
    const won = stage.status === "won";
    const add = (part, boxes, order) => boxes > 0 && parts.push({ ...stage, part, boxes, order });
    const stayed = won ? 0 : stage.there_now + stage.lost_here;
    add(won ? "won" : "went on", stage.reached - stayed, 0);
    if (!won) add("there now", stage.there_now, 1);
    if (!won) add("lost from here", stage.lost_here, 2);
    stage.label = place === 0 ? `${stage.reached}` : `${stage.reached} · ${share(stage.reached, stages[0].reached)}`;
  });
  const order = stages.map((stage) => stage.stage);
  const longest = Math.max(1, ...stages.map((stage) => stage.reached));
  const scale = { domain: ["went on", "there now", "lost from here", "won"], range: [c.blue, c.pale, c.coral, c.teal] };
  const y = { field: "stage", type: "nominal", sort: order, title: null, axis: { labelColor: c.ink, labelLimit: narrow ? 90 : 170 } };
  return {
    ...wide, height: { step: 40 }, description: "Boxes that reached each stage, and what became of them",
    layer: [
      {
        data: rows(parts), mark: { type: "bar", height: 26, stroke: c.card, strokeWidth: 1 },
        encoding: {
          y,
          x: { field: "boxes", type: "quantitative", title: null, axis: null, scale: { domain: [0, longest * (narrow ? 1.35 : 1.12)] } },
          color: { field: "part", type: "nominal", scale, legend: { columns: narrow ? 2 : 4 } },
          order: { field: "order" },
          tooltip: [{ field: "stage", title: "Stage" }, { field: "part", title: "Became" }, { field: "boxes", title: "Boxes" }, { field: "reached", title: "of" }],
        },
      },
      {
        data: rows(stages), mark: { type: "text", align: "left", dx: 6, fontWeight: 600 },
        encoding: { y, x: { field: "reached", type: "quantitative" }, text: { field: "label" } },
      },
    ],
  };
}

// Days as names, not as times: a browser west of Greenwich would show the day before.
const dated = (field, format) => ({
  field, type: "ordinal", title: null,
  axis: { labelExpr: `utcFormat(toDate(datum.value), '${format}')`, labelOverlap: "greedy", labelSeparation: 10, labelAngle: 0, labelFlush: true, labelBound: true },
});
const named = (row, field, options) => new Date(row[field]).toLocaleDateString("en", { timeZone: "UTC", ...options });
const inMonth = (row) => ({ ...row, when: named(row, "month", { month: "long", year: "numeric" }) });

function months(list, c) {
  const parts = (what) => list.map((row) => inMonth({ month: row.month, what, boxes: row[what] }));
  const scale = { domain: ["created", "won", "lost"], range: [c.pale, c.teal, c.coral] };
  const tooltip = [{ field: "when", title: "Month" }, { field: "what", title: " " }, { field: "boxes", title: "Boxes" }];
  const y = { field: "boxes", type: "quantitative", title: null, axis: { grid: true, tickCount: 4, format: "d" } };
  const color = { field: "what", type: "nominal", scale };
  return {
    ...wide, height: 220, description: "Boxes created, won and lost by month",
    layer: [
      { data: rows(parts("created")), mark: { type: "bar", width: { band: 0.75 } }, encoding: { x: dated("month", "%b %y"), y, color, tooltip } },
      { data: rows([...parts("won"), ...parts("lost")]), mark: { type: "line", strokeWidth: 2, point: { size: 24, filled: true } }, encoding: { x: dated("month", "%b %y"), y, color, tooltip } },
    ],
  };
}

function velocity(list, c) {
  return {
    ...wide, height: 220, description: "Money a day, over three months", data: rows(list.map(inMonth)),
    layer: [
      { mark: { type: "area", color: c.violet, opacity: 0.16 } },
      { mark: { type: "line", color: c.violet, strokeWidth: 2.5 } },
      { mark: { type: "point", color: c.violet, filled: true, size: 28 },
        encoding: { tooltip: [{ field: "when", title: "Until" }, { field: "velocity", type: "quantitative", format: ",.0f", title: "Money a day" }] } },
    ],
    encoding: {
      x: { ...dated("month", "%b %y"), scale: { type: "point", padding: 0.4 } },
      y: { field: "velocity", type: "quantitative", title: null, axis: { grid: true, tickCount: 4, labelExpr: "format(datum.value, '~s')" } },
    },
  };
}

function stays(list, c, narrow) {
  const order = list.map((row) => row.stage);
  list.forEach((row) => { row.label = `${days(row.half)} days`; });
  const y = { field: "stage", type: "nominal", sort: order, title: null, axis: { labelColor: c.ink, labelLimit: narrow ? 90 : 130 } };
  const longest = Math.max(1, ...list.map((row) => row.three_quarters));
  const tooltip = [
    { field: "stage", title: "Stage" }, { field: "boxes", title: "Boxes that left it" }, { field: "quarter", format: ".1f", title: "a quarter within" },
    { field: "half", format: ".1f", title: "half within" }, { field: "three_quarters", format: ".1f", title: "three quarters within" },
  ];
  const scale = { domain: [0, longest * (narrow ? 1.4 : 1.25)] };
  return {
    ...wide, height: { step: 46 }, data: rows(list), description: "Days in each stage: a quarter, half and three quarters of the boxes",
    layer: [
      { mark: { type: "bar", height: 16, color: c.pale, cornerRadius: 8 }, encoding: { y, x: { field: "quarter", type: "quantitative", title: "days", scale, axis: { grid: true, tickCount: 5 } }, x2: { field: "three_quarters" }, tooltip } },
      { mark: { type: "tick", thickness: 4, height: 24, color: c.blue }, encoding: { y, x: { field: "half", type: "quantitative" }, tooltip } },
      { mark: { type: "text", align: "left", dx: 8, fontWeight: 600 }, encoding: { y, x: { field: "three_quarters", type: "quantitative" }, text: { field: "label" } } },
    ],
  };
}

function weeks(list, c, narrow) {
  const kinds = [["emails_sent", "e-mails sent"], ["emails_received", "e-mails received"], ["talks", "calls, meetings"], ["comments", "comments"], ["tasks_done", "tasks done"]];
  const long = list.flatMap((row) => kinds.map(([field, kind], order) => ({ week: row.week, when: named(row, "week", { day: "numeric", month: "long", year: "numeric" }), kind, count: row[field], order })));
  const scale = { domain: kinds.map(([, kind]) => kind), range: [c.blue, c.pale, c.violet, c.amber, c.teal] };
  return {
    ...wide, height: 220, data: rows(long), description: "What happened by week", mark: { type: "bar", width: { band: 0.8 } },
    encoding: {
      x: dated("week", "%d %b"),
      y: { field: "count", type: "quantitative", title: null, stack: "zero", axis: { grid: true, tickCount: 4 } },
      color: { field: "kind", type: "nominal", scale, legend: { columns: narrow ? 2 : 3 } }, order: { field: "order" },
      tooltip: [{ field: "when", title: "Week of" }, { field: "kind", title: "What" }, { field: "count", title: "How many" }],
    },
  };
}

function tasks(list, c, narrow) {
  const kinds = [["overdue", "overdue"], ["this_week", "due in 7 days"], ["later", "later"], ["without_date", "no date"]];
  const long = list.flatMap((row) => kinds.map(([field, kind], order) => ({ person: row.person, kind, count: row[field], order })).filter((part) => part.count > 0));
  const scale = { domain: kinds.map(([, kind]) => kind), range: [c.coral, c.amber, c.blue, c.grey] };
  const y = { field: "person", type: "nominal", sort: list.map((row) => row.person), title: null, axis: { labelColor: c.ink, labelLimit: narrow ? 90 : 130 } };
  return {
    ...wide, height: { step: 34 }, data: rows(long), description: "Open tasks of each person",
    mark: { type: "bar", height: 20, stroke: c.card, strokeWidth: 1 },
    encoding: {
      y, x: { field: "count", type: "quantitative", title: null, stack: "zero", axis: { grid: true, tickCount: 5, format: "d", tickMinStep: 1 } },
      color: { field: "kind", type: "nominal", scale, legend: { columns: narrow ? 2 : 4 } }, order: { field: "order" },
      tooltip: [{ field: "person", title: "Who" }, { field: "kind", title: "Due" }, { field: "count", title: "Tasks" }],
    },
  };
}

function staleOwners(list, c, narrow) {
  list.forEach((row) => { row.label = row.amount ? `${row.boxes} · ${short.format(row.amount)}` : `${row.boxes}`; });
  const y = { field: "owner", type: "nominal", sort: list.map((row) => row.owner), title: null, axis: { labelColor: c.ink, labelLimit: narrow ? 90 : 130 } };
  const longest = Math.max(1, ...list.map((row) => row.boxes));
  return {
    ...wide, height: { step: 34 }, data: rows(list), description: "Stale boxes of each owner",
    layer: [
      { mark: { type: "bar", height: 20, color: c.amber }, encoding: { y, x: { field: "boxes", type: "quantitative", title: null, axis: null, scale: { domain: [0, longest * (narrow ? 1.6 : 1.3)] } }, tooltip: [{ field: "owner", title: "Owner" }, { field: "boxes", title: "Stale boxes" }, { field: "amount", format: ",.0f", title: "Money in them" }] } },
      { mark: { type: "text", align: "left", dx: 6, fontWeight: 600 }, encoding: { y, x: { field: "boxes", type: "quantitative" }, text: { field: "label" } } },
    ],
  };
}
