// What the server under test is configured with, unless a test says otherwise: the demo as it ships, a
// widget `test` that answers through the model double, and limits that no test runs into by accident.

const LOCAL_PAGES = ["http://localhost:*", "http://127.0.0.1:*"];
const PLENTY = 100_000;

const ARABIC = {
  placeholder: "اكتب رسالتك…",
  message: "رسالة",
  send: "إرسال",
  close: "تصغير المحادثة",
  end: "إنهاء",
  endChat: "إنهاء المحادثة",
  connected: "متصل",
  ready: "جاهز",
  connecting: "جارٍ الاتصال…",
  transcript: "المحادثة",
  you: "أنت",
  assistant: "المساعد",
  copy: "نسخ",
  today: "اليوم",
  openChat: "فتح المحادثة",
};

/** Settings with the model double at `model`. */
export function settings(model) {
  const widget = { allowed_origins: LOCAL_PAGES, hosted_page: true, assistant: "test" };
  const assistant = {
    system_prompt: "You are {{assistant.name}}.",
    model: { open_ai: { connection: "double", model: "double-1" } },
    history_tokens: 3000,
  };
  return {
    log: { filter: "banter_server=debug,warn" },
    limits: {
      sessions_per_minute_per_address: PLENTY,
      sessions_per_minute_per_widget: PLENTY,
      messages_per_minute_per_session: PLENTY,
      messages_per_minute_per_address: PLENTY,
      activity_per_minute_per_address: PLENTY,
    },
    answer: { checkpoint_ms: 100 },
    engine: {
      words_per_second: 60,
      connections: { double: { base_url: model.baseUrl, retries: 0 } },
    },
    assistants: {
      test: { ...assistant, name: "Echo", first_message: "Hello, I'm {{assistant.name}}." },
      arabic: { ...assistant, name: "صدى", first_message: "أهلًا! كيف يمكنني مساعدتك؟" },
    },
    widgets: {
      test: { ...widget, title: "Test desk", subtitle: "Here to be tested" },
      second: { ...widget, title: "Second desk", position: "bottom_left", accent: "#7a1f4d" },
      arabic: { ...widget, assistant: "arabic", title: "مكتب المساعدة", language: "ar", strings: ARABIC },
      elsewhere: { ...widget, title: "Elsewhere", allowed_origins: ["https://shop.example"] },
    },
  };
}
