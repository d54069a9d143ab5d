// Relative times, such as "3 min ago": kept up to date.

const steps = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

export function ago(seconds) {
  if (seconds < 1) return "now";
  const [size, unit] = steps.find(([length]) => seconds >= length);
  return `${Math.floor(seconds / size)} ${unit} ago`;
}

function refresh() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const text = ago(Math.max(0, (Date.now() - Date.parse(time.dateTime)) / 1000));
    if (time.textContent !== text) time.textContent = text;
  }
}

export function startTimes() {
  refresh();
  setInterval(refresh, 1000);
}
