//! Everything that is said or told in each language. `{company}` and `{representative}` stand for the settings.

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
    /// The agent's first words.
    pub(super) greeting: &'static str,
    /// What the agent is told when it takes over a call that was cut off.
    pub(super) resume: &'static str,
    /// Before the conversation so far.
    pub(super) history: &'static str,
    pub(super) caller: &'static str,
    pub(super) agent: &'static str,
    /// Twilio's words when the agent cannot speak.
    pub(super) apology: &'static str,
    pub(super) prompt_say: &'static str,
    pub(super) prompt_nudge: &'static str,
    pub(super) prompt_goodbye: &'static str,
    pub(super) prompt_time_is_up: &'static str,
    pub(super) prompt_end_called_off: &'static str,
    pub(super) prompt_keys: &'static str,
}

pub(super) const JAPANESE: Words = Words {
    tag: "ja-JP",
    code: "ja",
    say_voice: "Polly.Mizuki",
    company: "さくら歯科",
    representative: "佐藤",
    instructions: include_str!("instructions.ja.md"),
    greeting: "お電話ありがとうございます。{company}の{representative}でございます。ご用件をお伺いいたします。",
    resume: "通話が一瞬途切れました。挨拶はやり直さず、短くお詫びしてから、途切れたところの続きを話してください。",
    history: "この通話は途中で一度途切れました。ここまでの会話のうち、お客様に聞こえた分は次のとおりです。",
    caller: "お客様",
    agent: "あなた",
    apology: "申し訳ございません。ただいま対応できません。後ほどおかけ直しください。",
    prompt_say: "次の言葉を、一字一句変えず、何も付け加えずに、今お客様に話してください: ",
    prompt_nudge: "お客様がしばらく黙っています。短い一文で、聞こえているか尋ねてください。",
    prompt_goodbye: "短い一文でお客様にお別れの挨拶をしてください。",
    prompt_time_is_up: "この通話の時間が終わりました。短い一文でそのことを伝え、お別れの挨拶をしてください。",
    prompt_end_called_off: "通話が終わる前にお客様が話したので、通話は続いています。お客様に答えてください。通話を終えるには、もう一度お別れの挨拶をしてから終了してください。",
    prompt_keys: "お客様が電話機で次のキーを押しました: ",
};

pub(super) const ENGLISH: Words = Words {
    tag: "en-US",
    code: "en",
    say_voice: "Polly.Joanna",
    company: "Sakura Dental Clinic",
    representative: "Sato",
    instructions: include_str!("instructions.en.md"),
    greeting: "{company}, {representative} speaking. How can I help you?",
    resume: "The line was interrupted for a moment. Do not greet again: apologise in a few words and go on where you were.",
    history: "This call was interrupted once. This is the conversation so far, as far as the caller heard it.",
    caller: "Caller",
    agent: "You",
    apology: "I am sorry, I cannot help you right now. Please call again later.",
    prompt_say: "Say exactly the following to the caller now, word for word, and nothing else: ",
    prompt_nudge: "The caller has been silent for a while. Ask in one short sentence whether they can hear you.",
    prompt_goodbye: "Say goodbye to the caller in one short sentence.",
    prompt_time_is_up: "The time for this call is up. Tell the caller so and say goodbye, in one short sentence.",
    prompt_end_called_off: "The caller spoke before the call ended, so the call goes on. Answer the caller; to end the call, say \
                            goodbye and end it again.",
    prompt_keys: "The caller pressed these keys on the telephone: ",
};
