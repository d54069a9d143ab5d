// Relative times, such as "3 min ago" or "in 2 h": kept up to date.

const steps = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

export function ago(seconds) {
  const passed = Math.abs(seconds);
  if (passed < 1) return "now";
  const [size, unit] = steps.find(([length]) => passed >= length);
  const amount = `${Math.floor(passed / size)} ${unit}`;
  return seconds < 0 ? `in ${amount}` : `${amount} ago`;
}

function refresh() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const text = ago((Date.now() - Date.parse(time.dateTime)) / 1000);
    if (time.textContent !== text) time.textContent = text;
  }
}

export function startTimes() {
  refresh();
  setInterval(refresh, 1000);
}
