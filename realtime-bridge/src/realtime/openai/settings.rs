//! Our settings as the provider's, and what the provider made of them.

use super::{
    encode::tools,
    wire::{
        Audio, AudioInput, AudioOutput, Format, MaxTokens, NoiseReductionSettings, Nullable, Reasoning, SemanticVad,
        ServerVad, Session, TranscriptionSettings, TurnDetectionSettings, Voice,
    },
};
use crate::{
    audio::{AudioFormat, SampleRate},
    realtime::{
        ConnectError, NoiseReduction, SessionConfig, SessionInfo, ToolSpec, Transcription, TurnDetection, TurnOwner,
    },
};

/// Models that take several languages and words to expect; the others take one language.
const TRANSCRIBERS_WITH_LISTS: [&str; 2] = ["gpt-transcribe", "gpt-live-transcribe"];

/// The one update that sets up a session.
pub(super) fn session(config: &SessionConfig) -> Result<Session, ConnectError> {
    let mut problems = Vec::new();
    let input = format(config.input_format, "input_format", &mut problems);
    let output = format(config.output_format, "output_format", &mut problems);
    check(config, &mut problems);
    let transcription = config.transcription.as_ref().map(|wanted| transcription(wanted, &mut problems));
    if !problems.is_empty() {
        return Err(ConnectError::Config { problems });
    }
    Ok(Session {
        output_modalities: Some(vec!["audio".into()]),
        instructions: Some(config.instructions.clone()),
        audio: Some(Audio {
            input: Some(AudioInput {
                format: Some(input),
                transcription: transcription.into(),
                noise_reduction: config.noise_reduction.map(noise_reduction).into(),
                turn_detection: turn_detection(&config.turn_detection).into(),
            }),
            output: Some(AudioOutput {
                format: Some(output),
                voice: Some(voice(&config.voice)),
                speed: config.speed.map(decimal),
            }),
        }),
        tools: Some(tools(&config.tools)),
        tool_choice: None,
        reasoning: match &config.reasoning_effort {
            Some(effort) => Nullable::Value(Reasoning { effort: Some(effort.clone()) }),
            None => Nullable::Absent,
        },
        max_output_tokens: config.max_output_tokens.map(MaxTokens::Limit),
        ..Session::realtime()
    })
}

/// The body that accepts a call: as little as it can be, since what the provider does not like in it can fail after it
/// has been answered well.
pub(super) fn accept(model: &str, config: &SessionConfig) -> Result<Session, ConnectError> {
    session(config)?;
    let output = AudioOutput { voice: Some(voice(&config.voice)), ..AudioOutput::default() };
    Ok(Session {
        model: Some(model.to_owned()),
        instructions: Some(config.instructions.clone()),
        audio: Some(Audio { input: None, output: Some(output) }),
        ..Session::realtime()
    })
}

/// The update over the control socket of a call: everything but the formats, which are between the carrier and the
/// provider, and the voice, which was told before and cannot be changed once it has spoken.
pub(super) fn control(config: &SessionConfig) -> Result<Session, ConnectError> {
    let mut session = session(config)?;
    if let Some(audio) = &mut session.audio {
        if let Some(input) = &mut audio.input {
            input.format = None;
        }
        audio.output = config.speed.map(|speed| AudioOutput { speed: Some(decimal(speed)), ..AudioOutput::default() });
    }
    Ok(session)
}

/// As [`agreed`], for a call whose audio does not pass us.
pub(super) fn agreed_by_sip(config: Option<&SessionConfig>, echo: &Session) -> Result<SessionInfo, ConnectError> {
    let defaults = SessionConfig::default();
    if let Some(config) = config {
        same_voice(config, echo)?;
    }
    let config = config.unwrap_or(&defaults);
    let name = |text: &Option<String>| text.clone().unwrap_or_default();
    // Both the same, so that a relay converts nothing: no audio comes by.
    let info = SessionInfo::new(name(&echo.id), name(&echo.model), config.output_format, config.output_format);
    Ok(info.with_turn_owner(config.turn_detection.owner()))
}

/// Holds the provider's echo against what was asked for. Audio in another format would be noise to either side, and
/// a voice cannot be changed once it has spoken, so these must be right before the caller is heard.
pub(super) fn agreed(config: &SessionConfig, echo: &Session) -> Result<SessionInfo, ConnectError> {
    let input = echo.audio.as_ref().and_then(|audio| audio.input.as_ref());
    let output = echo.audio.as_ref().and_then(|audio| audio.output.as_ref());
    same_format("the input format", config.input_format, input.and_then(|input| input.format.as_ref()))?;
    same_format("the output format", config.output_format, output.and_then(|output| output.format.as_ref()))?;
    same_voice(config, echo)?;
    let name = |text: &Option<String>| text.clone().unwrap_or_default();
    let info = SessionInfo::new(name(&echo.id), name(&echo.model), config.input_format, config.output_format);
    Ok(info.with_turn_owner(config.turn_detection.owner()))
}

/// As [`agreed`], for a service that does not tell back what it has taken.
pub(super) fn believed(config: &SessionConfig, echo: &Session) -> SessionInfo {
    let name = |text: &Option<String>| text.clone().unwrap_or_default();
    let info = SessionInfo::new(name(&echo.id), name(&echo.model), config.input_format, config.output_format);
    info.with_turn_owner(config.turn_detection.owner())
}

fn same_voice(config: &SessionConfig, echo: &Session) -> Result<(), ConnectError> {
    let output = echo.audio.as_ref().and_then(|audio| audio.output.as_ref());
    match output.and_then(|output| output.voice.as_ref()) {
        Some(got) if *got != voice(&config.voice) => {
            let (asked, got) = (config.voice.clone(), got.as_str().to_owned());
            Err(ConnectError::NotAsAsked { what: "the voice", asked, got })
        }
        // Compatible services do not all tell the voice.
        _ => Ok(()),
    }
}

fn same_format(what: &'static str, asked: AudioFormat, got: Option<&Format>) -> Result<(), ConnectError> {
    let mut nothing = Vec::new();
    let wanted = format(asked, what, &mut nothing);
    let same = got.is_some_and(|got| got.kind == wanted.kind && (got.rate.is_none() || got.rate == wanted.rate));
    // G.711 has one rate, so a service that tells it has said the same.
    let same =
        same || got.is_some_and(|got| got.kind == wanted.kind && wanted.rate.is_none() && got.rate == Some(8_000));
    if same {
        return Ok(());
    }
    let name = |format: &Format| match format.rate {
        Some(rate) => format!("{} at {rate} Hz", format.kind),
        None => format.kind.clone(),
    };
    let got = got.map_or_else(|| "nothing".to_owned(), name);
    Err(ConnectError::NotAsAsked { what, asked: name(&wanted), got })
}

fn format(format: AudioFormat, what: &str, problems: &mut Vec<String>) -> Format {
    let (kind, rate) = match format {
        AudioFormat::MuLaw => ("audio/pcmu", None),
        AudioFormat::ALaw => ("audio/pcma", None),
        AudioFormat::Pcm16(SampleRate::Hz24000) => ("audio/pcm", Some(24_000)),
        AudioFormat::Pcm16(_) => {
            problems.push(format!("{what} is {format}, and OpenAI takes μ-law, A-law and PCM16 24000 Hz"));
            ("audio/pcm", None)
        }
    };
    Format { kind: kind.into(), rate }
}

fn check(config: &SessionConfig, problems: &mut Vec<String>) {
    if config.voice.is_empty() {
        problems.push("voice is empty".into());
    }
    if config.speed.is_some_and(|speed| !(0.25..=1.5).contains(&speed)) {
        problems.push("speed is not within 0.25 and 1.5".into());
    }
    if config.max_output_tokens.is_some_and(|tokens| !(1..=4_096).contains(&tokens)) {
        problems.push("max_output_tokens is not within 1 and 4096".into());
    }
    if config.reasoning_effort.as_deref() == Some("") {
        problems.push("reasoning_effort is empty".into());
    }
    match &config.turn_detection {
        TurnDetection::ServerVad { threshold, .. } if !(0.0..=1.0).contains(threshold) => {
            problems.push("turn_detection has a threshold that is not within 0 and 1".into());
        }
        TurnDetection::SemanticVad { eagerness, .. }
            if !["low", "medium", "high", "auto"].contains(&eagerness.as_str()) =>
        {
            problems.push(format!("turn_detection has the eagerness {eagerness:?}, not low, medium, high or auto"));
        }
        _ => {}
    }
    for (index, tool) in config.tools.iter().enumerate() {
        check_tool(tool, problems);
        if config.tools[..index].iter().any(|earlier| earlier.name == tool.name) {
            problems.push(format!("tool {:?} is there twice", tool.name));
        }
    }
}

fn check_tool(tool: &ToolSpec, problems: &mut Vec<String>) {
    let letters = tool.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if tool.name.is_empty() || tool.name.len() > 64 || !letters {
        problems.push(format!("tool {:?} is not named by 1 to 64 letters, digits, _ and -", tool.name));
    }
    if !tool.parameters.is_object() && !tool.parameters.is_null() {
        problems.push(format!("tool {:?} has parameters that are not a JSON Schema object", tool.name));
    }
}

fn transcription(wanted: &Transcription, problems: &mut Vec<String>) -> TranscriptionSettings {
    let mut settings = TranscriptionSettings { model: Some(wanted.model.clone()), ..TranscriptionSettings::default() };
    if wanted.model.is_empty() {
        problems.push("transcription has no model".into());
    }
    let filled = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    if TRANSCRIBERS_WITH_LISTS.contains(&wanted.model.as_str()) {
        settings.languages = filled(&wanted.languages);
        settings.keywords = filled(&wanted.keywords);
        return settings;
    }
    if wanted.languages.len() > 1 {
        problems.push(format!("transcription model {:?} takes one language", wanted.model));
    }
    if !wanted.keywords.is_empty() {
        problems.push(format!("transcription model {:?} takes no keywords", wanted.model));
    }
    settings.language = wanted.languages.first().cloned();
    settings
}

fn noise_reduction(wanted: NoiseReduction) -> NoiseReductionSettings {
    let kind = match wanted {
        NoiseReduction::NearField => "near_field",
        NoiseReduction::FarField => "far_field",
    };
    NoiseReductionSettings { kind: Some(kind.into()), strength: None }
}

/// Both flags always, since one that is left out is on.
fn turn_detection(wanted: &TurnDetection) -> Option<TurnDetectionSettings> {
    let provider = Some(wanted.owner() == TurnOwner::Provider);
    match wanted {
        TurnDetection::Off => None,
        TurnDetection::ServerVad { threshold, prefix_padding, silence, .. } => {
            let ms = |duration: &std::time::Duration| u64::try_from(duration.as_millis()).ok();
            Some(TurnDetectionSettings::ServerVad(ServerVad {
                threshold: Some(decimal(*threshold)),
                prefix_padding_ms: ms(prefix_padding),
                silence_duration_ms: ms(silence),
                idle_timeout_ms: Nullable::Absent,
                create_response: provider,
                interrupt_response: provider,
            }))
        }
        TurnDetection::SemanticVad { eagerness, .. } => Some(TurnDetectionSettings::SemanticVad(SemanticVad {
            eagerness: Some(eagerness.clone()),
            create_response: provider,
            interrupt_response: provider,
        })),
    }
}

/// A custom voice is told by its id.
fn voice(name: &str) -> Voice {
    if name.starts_with("voice_") { Voice::Custom { id: name.into() } } else { Voice::Named(name.into()) }
}

/// The number a person wrote: 0.6, not 0.6000000238418579.
fn decimal(number: f32) -> f64 {
    number.to_string().parse().unwrap_or_else(|_| f64::from(number))
}
