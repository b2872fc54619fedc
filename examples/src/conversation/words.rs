//! Everything that is said or told in each language. `{company}`, `{representative}` and the like stand for the settings.

/// The texts of one language.
#[derive(Debug)]
pub(super) struct Words {
    /// The tag, as Twilio and the flags write it.
    pub(super) tag: &'static str,
    /// The ISO 639-1 code, as transcription wants it.
    pub(super) code: &'static str,
    /// Twilio's voice.
    pub(super) say_voice: &'static str,
    pub(super) company: &'static str,
    pub(super) representative: &'static str,
    pub(super) instructions: &'static str,
    /// What the agent does when it calls.
    pub(super) calling: &'static str,
    /// The agent's first words.
    pub(super) greeting: &'static str,
    /// The agent's first words when it calls.
    pub(super) calling_greeting: &'static str,
    /// What a machine is told after its beep.
    pub(super) voicemail: &'static str,
    /// What the agent is told when it takes over a call that was cut off.
    pub(super) resume: &'static str,
    /// What the agent is told when it comes back to a call that was left on purpose.
    pub(super) back: &'static str,
    /// Twilio's words when the agent cannot speak.
    pub(super) apology: &'static str,
    pub(super) prompt_say: &'static str,
    pub(super) prompt_nudge: &'static str,
    pub(super) prompt_goodbye: &'static str,
    pub(super) prompt_time_is_up: &'static str,
    pub(super) prompt_end_called_off: &'static str,
    pub(super) prompt_keys: &'static str,
    pub(super) prompt_forgotten: &'static str,
    pub(super) prompt_resumed: &'static str,
    pub(super) prompt_tool_runs: &'static str,
    pub(super) prompt_tool_never: &'static str,
    pub(super) prompt_tool_ask: &'static str,
}

pub(super) const JAPANESE: Words = Words {
    tag: "ja-JP",
    code: "ja",
    say_voice: "Polly.Mizuki",
    company: "さくら歯科",
    representative: "佐藤",
    instructions: include_str!("instructions.ja.md"),
    calling: include_str!("calling.ja.md"),
    calling_greeting: "お忙しいところ恐れ入ります。{company}の{representative}と申します。{service}の件でお電話いたしました。",
    voicemail: "{company}の{representative}と申します。{service}の件でお電話いたしました。また改めてご連絡いたします。失礼いたします。",
    greeting: "お電話ありがとうございます。{company}の{representative}でございます。ご用件をお伺いいたします。",
    resume: "通話が一瞬途切れました。挨拶はやり直さず、短くお詫びしてから、途切れたところの続きを話してください。",
    back: "短い中断のあと、通話に戻りました。挨拶はやり直さず、短い一文で、途切れたところの続きを話してください。",
    apology: "申し訳ございません。ただいま対応できません。後ほどおかけ直しください。",
    prompt_say: "次の言葉を、一字一句変えず、何も付け加えずに、今お客様に話してください: ",
    prompt_nudge: "お客様がしばらく黙っています。短い一文で、聞こえているか尋ねてください。",
    prompt_goodbye: "短い一文でお客様にお別れの挨拶をしてください。",
    prompt_time_is_up: "この通話の時間が終わりました。短い一文でそのことを伝え、お別れの挨拶をしてください。",
    prompt_end_called_off: "通話が終わる前にお客様が話したので、通話は続いています。お客様に答えてください。通話を終えるには、もう一度お別れの挨拶をしてから終了してください。",
    prompt_keys: "お客様が電話機で次のキーを押しました: ",
    prompt_forgotten: "この通話の初めの部分はここでは省かれています。",
    prompt_resumed: "この通話は一瞬途切れたあとの続きです。ここまでの内容はお客様に聞こえています。挨拶をやり直したり、繰り返したりしないでください。",
    prompt_tool_runs: "次のツールは呼び出し済みで、まだ動いています。結果はあとで届きます。もう一度呼び出さないでください: ",
    prompt_tool_never: "これが済んだかどうかは分かりません。もう一度行ってはいけません。お客様にそう伝えてください。",
    prompt_tool_ask: "これが済んだかどうかは分かりません。もう一度行うかどうかお客様に尋ね、希望されたときだけもう一度呼び出してください。",
};

pub(super) const ENGLISH: Words = Words {
    tag: "en-US",
    code: "en",
    say_voice: "Polly.Joanna",
    company: "Sakura Dental Clinic",
    representative: "Sato",
    instructions: include_str!("instructions.en.md"),
    calling: include_str!("calling.en.md"),
    calling_greeting: "Hello, this is {representative} of {company}. I am calling about {service}.",
    voicemail: "Hello, this is {representative} of {company}. I was calling about {service}. We will try again later. Goodbye.",
    greeting: "{company}, {representative} speaking. How can I help you?",
    resume: "The line was interrupted for a moment. Do not greet again: apologise in a few words and go on where you were.",
    back: "You are back after a short pause in the call. Do not greet again: go on where you were, in one short sentence.",
    apology: "I am sorry, I cannot help you right now. Please call again later.",
    prompt_say: "Say exactly the following to the caller now, word for word, and nothing else: ",
    prompt_nudge: "The caller has been silent for a while. Ask in one short sentence whether they can hear you.",
    prompt_goodbye: "Say goodbye to the caller in one short sentence.",
    prompt_time_is_up: "The time for this call is up. Tell the caller so and say goodbye, in one short sentence.",
    prompt_end_called_off: "The caller spoke before the call ended, so the call goes on. Answer the caller; to end the call, say \
                            goodbye and end it again.",
    prompt_keys: "The caller pressed these keys on the telephone: ",
    prompt_forgotten: "Earlier parts of this call are not told here.",
    prompt_resumed: "This call goes on after a short interruption. The caller has heard what is told above: do not greet again, and do \
                     not repeat it.",
    prompt_tool_runs: "This tool was called and is still at work; its result will follow, do not call it again: ",
    prompt_tool_never: "It is not known whether this was done. It must not be done again: tell the caller so.",
    prompt_tool_ask: "It is not known whether this was done. Ask the caller whether to do it again, and call the tool again only if \
                      they want that.",
};
