// Times, as people read them.

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", month: "long", day: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

const date = (ts) => new Date(Number(ts) * 1000);
const midnight = (moment) => new Date(moment).setHours(0, 0, 0, 0);

export const hour = (ts) => clock.format(date(ts));
export const exact = (ts) => full.format(date(ts));

export function dayOf(ts) {
  const days = Math.round((midnight(Date.now()) - midnight(date(ts))) / 86_400_000);
  return days === 0 ? "Today" : days === 1 ? "Yesterday" : day.format(date(ts));
}

export function ago(ts) {
  const minutes = Math.floor((Date.now() / 1000 - Number(ts)) / 60);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} minute${minutes === 1 ? "" : "s"} ago`;
  return `${dayOf(ts).toLowerCase()} at ${hour(ts)}`;
}
