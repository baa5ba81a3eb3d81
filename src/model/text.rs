//! STUB for trying the page.
pub struct TextTokenizer { tokenizer: tokenizers::Tokenizer, vocabulary: Vec<u32> }
impl TextTokenizer {
    pub fn new(json: &[u8], vocabulary: Vec<u32>) -> Result<Self, String> { Ok(Self { tokenizer: tokenizers::Tokenizer::from_bytes(json).map_err(|e| e.to_string())?, vocabulary }) }
    pub fn words(&self) -> Vec<String> { self.vocabulary.iter().filter_map(|id| self.tokenizer.id_to_token(*id)).filter_map(|p| p.strip_prefix('▁').map(str::to_string)).collect() }
    pub fn encode(&self, prompt: &str) -> (Vec<u32>, Vec<String>) {
        let e = self.tokenizer.encode(prompt, true).unwrap();
        let mut unknown = Vec::new();
        let ids = e.get_ids().iter().zip(e.get_tokens()).filter_map(|(id, t)| { let at = self.vocabulary.iter().position(|v| v == id); if at.is_none() { unknown.push(t.clone()); } at.map(|i| i as u32) }).collect();
        (ids, unknown)
    }
}
