//! A BankID of our own: the relying-party API, and a phone to press buttons on.
