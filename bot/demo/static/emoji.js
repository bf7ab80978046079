// Slack's names of common emoji.

const EMOJI = {
  "+1": "👍", thumbsup: "👍", "-1": "👎", thumbsdown: "👎", eyes: "👀", white_check_mark: "✅", x: "❌",
  heavy_check_mark: "✔️", hourglass: "⌛", hourglass_flowing_sand: "⏳", warning: "⚠️", tada: "🎉", heart: "❤️",
  rocket: "🚀", fire: "🔥", pray: "🙏", raised_hands: "🙌", clap: "👏", wave: "👋", thinking_face: "🤔",
  smile: "😄", slightly_smiling_face: "🙂", joy: "😂", sob: "😭", question: "❓", exclamation: "❗",
  bulb: "💡", books: "📚", book: "📖", open_book: "📖", bookmark: "🔖", memo: "📝", page_facing_up: "📄",
  link: "🔗", mag: "🔍", lock: "🔒", key: "🔑", gear: "⚙️", wrench: "🔧", hammer_and_wrench: "🛠️",
  rotating_light: "🚨", bell: "🔔", no_bell: "🔕", speech_balloon: "💬", arrows_counterclockwise: "🔄",
  repeat: "🔁", no_entry: "⛔", no_entry_sign: "🚫", large_green_circle: "🟢", large_yellow_circle: "🟡",
  red_circle: "🔴", white_circle: "⚪", information_source: "ℹ️", calendar: "📅", clock1: "🕐", bar_chart: "📊",
  chart_with_upwards_trend: "📈", robot_face: "🤖", brain: "🧠", sparkles: "✨", star: "⭐", 100: "💯",
  point_right: "👉", point_down: "👇", lock_with_ink_pen: "🔏", shrug: "🤷", see_no_evil: "🙈", ok_hand: "👌",
  bug: "🐛", ticket: "🎫", inbox_tray: "📥", outbox_tray: "📤", pushpin: "📌", paperclip: "📎", zap: "⚡",
  leftwards_arrow_with_hook: "↩️", arrow_right: "➡️", arrow_left: "⬅️", wastebasket: "🗑️", coffee: "☕",
};

export const QUICK = ["white_check_mark", "eyes", "raised_hands"];
export const PICKER = ["+1", "-1", "white_check_mark", "eyes", "raised_hands", "heart", "tada", "rocket", "thinking_face", "pray", "fire", "question"];

export const emoji = (name) => EMOJI[name] ?? `:${name}:`;
export const known = (name) => name in EMOJI;
