//! `<Pay>`: takes a payment by keys, and the `<Prompt>`s that ask for it.

use super::{
    flow::Pause,
    gather::{Prompting, prompting},
    language::Language,
    macros::{children, element},
    play::Play,
    say::Say,
    stream::Parameter,
    value::Url,
};
use crate::{Count, Seconds, value::words, words::Method};

words! {
    /// How a payment's data are entered.
    closed PayInput {
        /// By keys.
        Dtmf = "dtmf",
    }

    /// What is paid with.
    closed PaymentMethod {
        /// A card.
        CreditCard = "credit-card",
        /// A US bank account.
        AchDebit = "ach-debit",
    }

    /// The kind of a US bank account.
    closed BankAccountType {
        /// A person's current account.
        ConsumerChecking = "consumer-checking",
        /// A person's savings account.
        ConsumerSavings = "consumer-savings",
        /// A company's current account.
        CommercialChecking = "commercial-checking",
        /// A company's savings account.
        CommercialSavings = "commercial-savings",
    }

    /// What stands for the card when nothing is charged.
    closed TokenType {
        /// Good for one payment.
        OneTime = "one-time",
        /// Good for many.
        Reusable = "reusable",
        /// A payment method of the processor.
        PaymentMethod = "payment-method",
    }

    /// A brand of cards.
    closed CardType {
        /// Visa.
        Visa = "visa",
        /// Mastercard.
        Mastercard = "mastercard",
        /// American Express.
        Amex = "amex",
        /// Maestro.
        Maestro = "maestro",
        /// Discover.
        Discover = "discover",
        /// Optima.
        Optima = "optima",
        /// JCB.
        Jcb = "jcb",
        /// Diners Club.
        DinersClub = "diners-club",
        /// enRoute.
        Enroute = "enroute",
    }

    /// A step of a payment.
    closed PaymentStep {
        /// The card's number.
        PaymentCardNumber = "payment-card-number",
        /// Until when the card is good.
        ExpirationDate = "expiration-date",
        /// The code on the back of the card.
        SecurityCode = "security-code",
        /// The holder's postal code.
        PostalCode = "postal-code",
        /// While the payment is made.
        PaymentProcessing = "payment-processing",
        /// The account's number.
        BankAccountNumber = "bank-account-number",
        /// The bank's number.
        BankRoutingNumber = "bank-routing-number",
    }

    /// What went wrong in a step.
    closed PaymentError {
        /// Nothing was entered.
        Timeout = "timeout",
        /// No such card.
        InvalidCardNumber = "invalid-card-number",
        /// A brand that is not taken.
        InvalidCardType = "invalid-card-type",
        /// No such date.
        InvalidDate = "invalid-date",
        /// No such code.
        InvalidSecurityCode = "invalid-security-code",
        /// Twilio or the processor failed.
        InternalError = "internal-error",
        /// What was entered twice is not the same.
        InputMatchingFailed = "input-matching-failed",
    }
}

children! {
    /// What may stand in `<Pay>`.
    PayChild {
        /// What the caller hears in a step.
        Prompt(Prompt) = "Prompt",
        /// A value for the processor.
        Parameter(Parameter) = "Parameter",
    }
}

element! {
    /// Takes a payment by keys (Twilio: TwiML, `<Pay>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{CardType, Pay, PaymentStep, Prompt, Response};
    ///
    /// let pay = Pay::new()
    ///     .charge_amount("20.45")
    ///     .valid_card_types([CardType::Visa, CardType::Jcb])
    ///     .prompt(Prompt::new(PaymentStep::PaymentCardNumber).say("Please enter your card number."));
    /// let xml = Response::new().pay(pay).to_xml()?;
    /// assert!(xml.contains(concat!(
    ///     r#"<Pay chargeAmount="20.45" validCardTypes="visa jcb"><Prompt for="payment-card-number">"#,
    ///     r#"<Say>Please enter your card number.</Say></Prompt></Pay>"#,
    /// )));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Pay "Pay";
    attributes {
        /// How the data are entered; by keys if not set.
        input: PayInput = "input",
        /// The name of the payment connector; `Default` if not set.
        payment_connector: String = "paymentConnector",
        /// How much, such as `20.45`; nothing or zero makes a token instead.
        charge_amount: String = "chargeAmount",
        /// In which currency, such as `jpy`; `usd` if not set.
        currency: String = "currency",
        /// What for.
        description: String = "description",
        /// What is paid with; a card if not set.
        payment_method: PaymentMethod = "paymentMethod",
        /// The kind of bank account.
        bank_account_type: BankAccountType = "bankAccountType",
        /// What kind of token is made.
        token_type: TokenType = "tokenType",
        /// The brands that are taken; Visa, Mastercard and American Express if not set.
        valid_card_types: Vec<CardType> = "validCardTypes",
        /// Whether the postal code is asked for (`true`, `false`), or the one to use; `true` if not set.
        postal_code: String = "postalCode",
        /// The shortest postal code.
        min_postal_code_length: Count = "minPostalCodeLength",
        /// Whether the security code is asked for; yes if not set.
        security_code: bool = "securityCode",
        /// How long to wait for a key, at most 600 s; 5 s if not set.
        timeout: Seconds = "timeout",
        /// How often each step can be tried.
        max_attempts: Count = "maxAttempts",
        /// The language of Twilio's own prompts; `en-US` if not set.
        language: Language = "language",
        /// Where to go on; the next verb if not set.
        action: Url = "action",
        /// How `action` is requested; `POST` if not set.
        method: Method = "method",
        /// A URL to be told what happens.
        status_callback: Url = "statusCallback",
        /// How that callback is requested; `POST` if not set.
        status_callback_method: Method = "statusCallbackMethod",
    }
    body {
        /// Prompts and values.
        children: Vec<PayChild>
    }
}

impl Pay {
    /// A payment.
    #[must_use]
    pub fn new() -> Self {
        Self::bare(Vec::new())
    }

    /// What the caller hears in a step, in place of Twilio's own words.
    #[must_use]
    pub fn prompt(mut self, prompt: Prompt) -> Self {
        self.children.push(prompt.into());
        self
    }

    /// Gives the processor a value.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.children.push(Parameter::new(name, value).into());
        self
    }
}

impl Default for Pay {
    fn default() -> Self {
        Self::new()
    }
}

element! {
    /// What the caller hears in a step of `<Pay>` (Twilio: TwiML, `<Prompt>`).
    Prompt "Prompt";
    attributes {
        /// The step. The attribute is `for`.
        step: PaymentStep = "for",
        /// Only after these errors.
        error_type: Vec<PaymentError> = "errorType",
        /// Only for these brands.
        card_type: Vec<CardType> = "cardType",
        /// Only at these attempts, from 1.
        attempt: Vec<u32> = "attempt",
        /// Whether what is entered has to be entered again.
        require_matching_inputs: bool = "requireMatchingInputs",
    }
    body {
        /// What the caller hears.
        content: Vec<Prompting>
    }
}

impl Prompt {
    /// What is heard in this step.
    #[must_use]
    pub fn new(step: PaymentStep) -> Self {
        Self::bare(Vec::new()).step(step)
    }
}

prompting!(Prompt);
