//! The objects captions speak of, and which icon draws each.
//!
//! Chosen by eye from contact sheets: outlines that are known at a glance and alike in all four styles. The English
//! forms are written by hand; the synonyms are the keywords of emojibase-data 17.0.0 that name the same thing, and a
//! few everyday words besides.

use super::style::Style;

/// A concept with its English forms.
#[derive(Clone, Copy, Debug)]
pub struct Concept {
    /// Name of the drawing, the same in every icon package.
    pub icon: &'static str,
    /// Emoji that mean it, its own first, with spaces between; without variation selectors.
    pub emoji: &'static str,
    pub noun: &'static str,
    /// "a", "an", or empty before a noun that takes none.
    pub article: &'static str,
    /// Empty for what is not counted: "bread", "jeans".
    pub plural: &'static str,
    /// Other nouns for the same thing, each with its plural.
    pub synonyms: &'static [(&'static str, &'static str)],
    /// Keeps its own colours: a blue hamburger is none.
    pub fixed: bool,
    /// Styles whose drawing shows something else, such as only the head.
    pub without: &'static [Style],
}

impl Concept {
    /// Name of the drawing in the package of a style, where that has a fitting one.
    pub fn icon(&self, style: Style) -> Option<&'static str> {
        (!self.without.contains(&style)).then_some(self.icon)
    }

    const fn fixed(self) -> Self {
        Self { fixed: true, ..self }
    }

    const fn without(self, without: &'static [Style]) -> Self {
        Self { without, ..self }
    }

    const fn or(self, synonyms: &'static [(&'static str, &'static str)]) -> Self {
        Self { synonyms, ..self }
    }
}

/// A concept with an article before it and a plural.
const fn a(
    icon: &'static str,
    emoji: &'static str,
    article: &'static str,
    noun: &'static str,
    plural: &'static str,
) -> Concept {
    Concept {
        icon,
        emoji,
        noun,
        article,
        plural,
        synonyms: &[],
        fixed: false,
        without: &[],
    }
}

/// A concept that takes no article and is not counted.
const fn some(icon: &'static str, emoji: &'static str, noun: &'static str) -> Concept {
    a(icon, emoji, "", noun, "")
}

use Style::{Cartoon, Simple};

/// So many of the first concepts are those of the data set `emoji`; `world` is composed of all.
pub const CLASSIC: usize = 161;

/// All concepts, by subject.
pub const CONCEPTS: &[Concept] = &[
    // Animals.
    a("bear", "🐻", "a", "bear", "bears"),
    a("honeybee", "🐝", "a", "bee", "bees")
        .or(&[("honeybee", "honeybees")])
        .fixed(),
    a("bird", "🐦", "a", "bird", "birds"),
    a("butterfly", "🦋", "a", "butterfly", "butterflies"),
    a("camel", "🐪 🐫", "a", "camel", "camels"),
    a("cat-face", "🐱 🐈 😺", "a", "cat", "cats").or(&[("kitty", "kitties")]),
    a("cow-face", "🐮 🐄", "a", "cow", "cows").fixed(),
    a("crab", "🦀", "a", "crab", "crabs"),
    a("crocodile", "🐊", "a", "crocodile", "crocodiles").or(&[("alligator", "alligators")]),
    a("sauropod", "🦕", "a", "dinosaur", "dinosaurs").or(&[("dino", "dinos")]),
    a("dog", "🐕 🐶", "a", "dog", "dogs").or(&[("puppy", "puppies")]),
    a("dolphin", "🐬", "a", "dolphin", "dolphins"),
    a("duck", "🦆", "a", "duck", "ducks").fixed(),
    a("elephant", "🐘", "an", "elephant", "elephants"),
    a("fish", "🐟", "a", "fish", "fish"),
    a("flamingo", "🦩", "a", "flamingo", "flamingos"),
    a("fox", "🦊", "a", "fox", "foxes"),
    a("frog", "🐸", "a", "frog", "frogs").or(&[("toad", "toads")]),
    a("giraffe", "🦒", "a", "giraffe", "giraffes"),
    a("hedgehog", "🦔", "a", "hedgehog", "hedgehogs").fixed(),
    a("horse", "🐎 🐴", "a", "horse", "horses").or(&[("pony", "ponies")]),
    a("koala", "🐨", "a", "koala", "koalas"),
    a("lady-beetle", "🐞", "a", "ladybug", "ladybugs").or(&[("ladybird", "ladybirds")]),
    a("lion", "🦁", "a", "lion", "lions").fixed(),
    a("lobster", "🦞", "a", "lobster", "lobsters"),
    a("monkey-face", "🐵 🐒", "a", "monkey", "monkeys"),
    a("mouse-face", "🐭 🐁", "a", "mouse", "mice"),
    a("octopus", "🐙", "an", "octopus", "octopuses"),
    a("owl", "🦉", "an", "owl", "owls"),
    a("panda", "🐼", "a", "panda", "pandas").fixed(),
    a("parrot", "🦜", "a", "parrot", "parrots").fixed(),
    a("penguin", "🐧", "a", "penguin", "penguins").fixed(),
    a("pig-face", "🐷 🐖", "a", "pig", "pigs").or(&[("piglet", "piglets")]),
    a("rabbit-face", "🐰 🐇", "a", "rabbit", "rabbits").or(&[("bunny", "bunnies")]),
    a("shark", "🦈", "a", "shark", "sharks"),
    a("ewe", "🐑", "a", "sheep", "sheep").fixed(),
    a("snail", "🐌", "a", "snail", "snails"),
    a("snake", "🐍", "a", "snake", "snakes").or(&[("serpent", "serpents")]),
    a("spider", "🕷", "a", "spider", "spiders"),
    a("squid", "🦑", "a", "squid", "squids"),
    a("swan", "🦢", "a", "swan", "swans").fixed(),
    a("tiger-face", "🐯 🐅", "a", "tiger", "tigers").fixed(),
    a("turtle", "🐢", "a", "turtle", "turtles").or(&[("tortoise", "tortoises")]),
    a("unicorn", "🦄", "a", "unicorn", "unicorns").fixed(),
    a("whale", "🐋 🐳", "a", "whale", "whales"),
    a("zebra", "🦓", "a", "zebra", "zebras").fixed().without(&[Simple]),
    // Food.
    a("red-apple", "🍎", "an", "apple", "apples"),
    a("avocado", "🥑", "an", "avocado", "avocados").fixed(),
    a("banana", "🍌", "a", "banana", "bananas"),
    some("bread", "🍞", "bread").fixed(),
    a("birthday-cake", "🎂", "a", "cake", "cakes")
        .or(&[("birthday cake", "birthday cakes")])
        .fixed(),
    a("carrot", "🥕", "a", "carrot", "carrots"),
    some("cheese-wedge", "🧀", "cheese"),
    a("cookie", "🍪", "a", "cookie", "cookies")
        .or(&[("biscuit", "biscuits")])
        .fixed(),
    some("ear-of-corn", "🌽", "corn").or(&[("maize", "")]).fixed(),
    a("croissant", "🥐", "a", "croissant", "croissants").fixed(),
    a("cupcake", "🧁", "a", "cupcake", "cupcakes").or(&[("muffin", "muffins")]),
    a("doughnut", "🍩", "a", "donut", "donuts").or(&[("doughnut", "doughnuts")]),
    a("eggplant", "🍆", "an", "eggplant", "eggplants").or(&[("aubergine", "aubergines")]),
    some("french-fries", "🍟", "french fries").or(&[("fries", "")]).fixed(),
    some("grapes", "🍇", "grapes"),
    a("hamburger", "🍔", "a", "hamburger", "hamburgers")
        .or(&[("burger", "burgers")])
        .fixed(),
    a("hot-dog", "🌭", "a", "hot dog", "hot dogs").fixed(),
    some("soft-ice-cream", "🍦", "ice cream"),
    a("lemon", "🍋", "a", "lemon", "lemons"),
    a("lollipop", "🍭", "a", "lollipop", "lollipops").fixed(),
    a("mushroom", "🍄 🍄‍🟫", "a", "mushroom", "mushrooms").or(&[("toadstool", "toadstools")]),
    a("peach", "🍑", "a", "peach", "peaches"),
    a("pear", "🍐", "a", "pear", "pears"),
    a("hot-pepper", "🌶", "a", "chili pepper", "chili peppers").or(&[("chili", "chilies")]),
    a("pineapple", "🍍", "a", "pineapple", "pineapples"),
    a("pizza", "🍕", "a", "pizza", "pizzas").fixed(),
    a("pretzel", "🥨", "a", "pretzel", "pretzels"),
    a("strawberry", "🍓", "a", "strawberry", "strawberries"),
    a("teapot", "🫖", "a", "teapot", "teapots"),
    a("tomato", "🍅", "a", "tomato", "tomatoes"),
    a("watermelon", "🍉", "a", "watermelon", "watermelons").fixed(),
    // Vehicles.
    a("airplane", "✈ 🛩", "an", "airplane", "airplanes").or(&[("plane", "planes"), ("aeroplane", "aeroplanes")]),
    a("bicycle", "🚲", "a", "bicycle", "bicycles").or(&[("bike", "bikes")]),
    a("bus", "🚌 🚍", "a", "bus", "buses"),
    a("automobile", "🚗 🚘", "a", "car", "cars").or(&[("automobile", "automobiles")]),
    a("fire-engine", "🚒", "a", "fire truck", "fire trucks")
        .or(&[("fire engine", "fire engines")])
        .fixed(),
    a("helicopter", "🚁", "a", "helicopter", "helicopters"),
    a("motor-scooter", "🛵", "a", "scooter", "scooters").or(&[("moped", "mopeds")]),
    a("rocket", "🚀", "a", "rocket", "rockets").or(&[("spaceship", "spaceships")]),
    a("sailboat", "⛵", "a", "sailboat", "sailboats")
        .or(&[("boat", "boats")])
        .fixed(),
    a("tractor", "🚜", "a", "tractor", "tractors"),
    a("locomotive", "🚂 🚆", "a", "train", "trains")
        .or(&[("locomotive", "locomotives")])
        .fixed(),
    a("delivery-truck", "🚚", "a", "truck", "trucks").or(&[("lorry", "lorries")]),
    a("flying-saucer", "🛸", "a", "flying saucer", "flying saucers")
        .or(&[("ufo", "ufos")])
        .fixed(),
    // Buildings.
    a("castle", "🏰", "a", "castle", "castles").fixed(),
    a("ferris-wheel", "🎡", "a", "ferris wheel", "ferris wheels").fixed(),
    a("house", "🏠 🏡", "a", "house", "houses").or(&[("home", "homes")]),
    a("tent", "⛺ 🏕", "a", "tent", "tents"),
    a("volcano", "🌋", "a", "volcano", "volcanoes").fixed(),
    // Plants.
    a("cactus", "🌵", "a", "cactus", "cacti"),
    a("christmas-tree", "🎄", "a", "christmas tree", "christmas trees").fixed(),
    a("four-leaf-clover", "🍀 ☘", "a", "clover", "clovers").or(&[("four-leaf clover", "four-leaf clovers")]),
    a("cherry-blossom", "🌸 🌼 💮", "a", "flower", "flowers").or(&[("blossom", "blossoms")]),
    a("maple-leaf", "🍁 🍂", "a", "maple leaf", "maple leaves").or(&[("leaf", "leaves")]),
    a("palm-tree", "🌴", "a", "palm tree", "palm trees").or(&[("palm", "palms")]),
    a("evergreen-tree", "🌲", "a", "pine tree", "pine trees").or(&[("fir tree", "fir trees")]),
    a("rose", "🌹", "a", "rose", "roses"),
    a("sunflower", "🌻", "a", "sunflower", "sunflowers").fixed(),
    a("deciduous-tree", "🌳", "a", "tree", "trees"),
    a("tulip", "🌷", "a", "tulip", "tulips"),
    // Clothes.
    a("backpack", "🎒", "a", "backpack", "backpacks").or(&[("rucksack", "rucksacks")]),
    a("womans-boot", "👢", "a", "boot", "boots"),
    a("billed-cap", "🧢", "a", "cap", "caps").or(&[("baseball cap", "baseball caps")]),
    a("crown", "👑", "a", "crown", "crowns"),
    a("gem-stone", "💎", "a", "diamond", "diamonds").or(&[("gem", "gems"), ("jewel", "jewels")]),
    a("dress", "👗", "a", "dress", "dresses"),
    a("handbag", "👜", "a", "handbag", "handbags").or(&[("purse", "purses")]),
    a("top-hat", "🎩", "a", "hat", "hats").or(&[("top hat", "top hats")]),
    a("high-heeled-shoe", "👠", "a", "high heel", "high heels"),
    some("jeans", "👖", "jeans").or(&[("trousers", "")]),
    a("scarf", "🧣", "a", "scarf", "scarves"),
    a("t-shirt", "👕", "a", "t-shirt", "t-shirts").or(&[("shirt", "shirts"), ("tee shirt", "tee shirts")]),
    a("umbrella", "☂ 🌂 ☔", "an", "umbrella", "umbrellas").or(&[("parasol", "parasols")]),
    // Things.
    a("alarm-clock", "⏰ 🕰", "an", "alarm clock", "alarm clocks").or(&[("clock", "clocks")]),
    a("balloon", "🎈", "a", "balloon", "balloons"),
    a("basketball", "🏀", "a", "basketball", "basketballs"),
    a("bell", "🔔", "a", "bell", "bells"),
    a("closed-book", "📔 📓", "a", "book", "books"),
    a("bucket", "🪣", "a", "bucket", "buckets").or(&[("pail", "pails")]),
    a("camera", "📷 📸", "a", "camera", "cameras").fixed(),
    a("candle", "🕯", "a", "candle", "candles").fixed(),
    a("chair", "🪑", "a", "chair", "chairs"),
    a("wrapped-gift", "🎁", "a", "gift", "gifts").or(&[("present", "presents")]),
    a("guitar", "🎸", "a", "guitar", "guitars"),
    a("hammer", "🔨", "a", "hammer", "hammers").fixed(),
    a("key", "🔑 🗝", "a", "key", "keys"),
    a("kite", "🪁", "a", "kite", "kites").fixed(),
    a("laptop", "💻", "a", "laptop", "laptops").fixed(),
    a("light-bulb", "💡", "a", "light bulb", "light bulbs").or(&[("bulb", "bulbs")]),
    a("locked", "🔒 🔓 🔐", "a", "lock", "locks").or(&[("padlock", "padlocks")]),
    a("magnet", "🧲", "a", "magnet", "magnets"),
    a("pencil", "✏", "a", "pencil", "pencils"),
    a("puzzle-piece", "🧩", "a", "puzzle piece", "puzzle pieces"),
    a("robot", "🤖", "a", "robot", "robots").fixed(),
    some("scissors", "✂", "scissors"),
    a("shield", "🛡", "a", "shield", "shields"),
    a("soccer-ball", "⚽", "a", "soccer ball", "soccer balls")
        .or(&[("football", "footballs")])
        .fixed(),
    a("luggage", "🧳", "a", "suitcase", "suitcases"),
    a("teddy-bear", "🧸", "a", "teddy bear", "teddy bears").or(&[("teddy", "teddies")]),
    a("telephone", "☎ 📞", "a", "telephone", "telephones").or(&[("phone", "phones")]),
    a("trophy", "🏆", "a", "trophy", "trophies"),
    a("trumpet", "🎺", "a", "trumpet", "trumpets"),
    a("violin", "🎻", "a", "violin", "violins"),
    // Sky and spirits.
    a("cloud", "☁", "a", "cloud", "clouds").fixed(),
    some("fire", "🔥", "fire").or(&[("flame", "")]),
    a("ghost", "👻", "a", "ghost", "ghosts").fixed(),
    a("red-heart", "❤ 💕 💗 💖 💓 💞", "a", "heart", "hearts"),
    a("high-voltage", "⚡", "a", "lightning bolt", "lightning bolts"),
    a("crescent-moon", "🌙 🌕 🌓 🌗", "a", "moon", "moons"),
    a("jack-o-lantern", "🎃", "a", "pumpkin", "pumpkins").or(&[("jack-o-lantern", "jack-o-lanterns")]),
    a("rainbow", "🌈", "a", "rainbow", "rainbows").fixed(),
    a("snowflake", "❄", "a", "snowflake", "snowflakes"),
    a("snowman-without-snow", "⛄ ☃", "a", "snowman", "snowmen").fixed(),
    a("star", "⭐ 🌟", "a", "star", "stars"),
    a("sun", "☀ 🌞", "a", "sun", "suns"),
    // From here on, of `world` only. Animals.
    a("ant", "🐜", "an", "ant", "ants"),
    a("baby-chick", "🐤 🐥", "a", "chick", "chicks"),
    a("bat", "🦇", "a", "bat", "bats"),
    a("beetle", "🪲", "a", "beetle", "beetles"),
    a("chicken", "🐔", "a", "chicken", "chickens")
        .or(&[("hen", "hens")])
        .fixed(),
    a("chipmunk", "🐿", "a", "squirrel", "squirrels").or(&[("chipmunk", "chipmunks")]),
    a("cricket", "🦗", "a", "grasshopper", "grasshoppers").or(&[("cricket", "crickets")]),
    a("deer", "🦌", "a", "deer", "deer")
        .or(&[("reindeer", "reindeer")])
        .without(&[Simple]),
    a("dove", "🕊", "a", "dove", "doves").or(&[("pigeon", "pigeons")]),
    a("dragon", "🐉 🐲", "a", "dragon", "dragons"),
    a("eagle", "🦅", "an", "eagle", "eagles").fixed().without(&[Simple]),
    a("feather", "🪶", "a", "feather", "feathers"),
    a("goat", "🐐", "a", "goat", "goats").fixed(),
    a("gorilla", "🦍", "a", "gorilla", "gorillas").without(&[Simple]),
    a("hamster", "🐹", "a", "hamster", "hamsters"),
    a("hippopotamus", "🦛", "a", "hippo", "hippos").or(&[("hippopotamus", "hippopotamuses")]),
    a("jellyfish", "🪼", "a", "jellyfish", "jellyfish"),
    a("kangaroo", "🦘", "a", "kangaroo", "kangaroos"),
    a("leopard", "🐆", "a", "leopard", "leopards")
        .or(&[("cheetah", "cheetahs"), ("jaguar", "jaguars")])
        .fixed(),
    a("lizard", "🦎", "a", "lizard", "lizards").or(&[("gecko", "geckos")]),
    a("llama", "🦙", "a", "llama", "llamas").or(&[("alpaca", "alpacas")]),
    a("otter", "🦦", "an", "otter", "otters"),
    a("peacock", "🦚", "a", "peacock", "peacocks").fixed(),
    a("polar-bear", "🐻‍❄", "a", "polar bear", "polar bears").fixed(),
    a("raccoon", "🦝", "a", "raccoon", "raccoons")
        .fixed()
        .without(&[Cartoon]),
    a("rhinoceros", "🦏", "a", "rhino", "rhinos")
        .or(&[("rhinoceros", "rhinoceroses")])
        .without(&[Simple]),
    a("rooster", "🐓", "a", "rooster", "roosters"),
    a("scorpion", "🦂", "a", "scorpion", "scorpions"),
    a("seal", "🦭", "a", "seal", "seals").or(&[("sea lion", "sea lions")]),
    a("spiral-shell", "🐚", "a", "seashell", "seashells").or(&[("shell", "shells")]),
    a("shrimp", "🦐", "a", "shrimp", "shrimp").or(&[("prawn", "prawns")]),
    a("sloth", "🦥", "a", "sloth", "sloths"),
    a("t-rex", "🦖", "a", "t-rex", "t-rexes").or(&[("tyrannosaurus", "tyrannosaurs")]),
    a("tropical-fish", "🐠", "a", "tropical fish", "tropical fish")
        .or(&[("goldfish", "goldfish")])
        .fixed(),
    a("turkey", "🦃", "a", "turkey", "turkeys").fixed(),
    a("bug", "🐛", "a", "caterpillar", "caterpillars"),
    a("wolf", "🐺", "a", "wolf", "wolves"),
    // People and faces.
    a("alien", "👽", "an", "alien", "aliens"),
    a("angry-face", "😠 😡", "an", "angry face", "angry faces")
        .or(&[("mad face", "mad faces")])
        .fixed(),
    a("astronaut", "🧑‍🚀 👨‍🚀 👩‍🚀", "an", "astronaut", "astronauts")
        .or(&[("spaceman", "spacemen")])
        .fixed()
        .without(&[Simple]),
    a("baby", "👶", "a", "baby", "babies").fixed(),
    a("boy", "👦", "a", "boy", "boys").fixed(),
    a("cook", "🧑‍🍳 👨‍🍳 👩‍🍳", "a", "chef", "chefs")
        .or(&[("cook", "cooks")])
        .fixed(),
    a("clown-face", "🤡", "a", "clown", "clowns").fixed(),
    a("cowboy-hat-face", "🤠", "a", "cowboy", "cowboys").fixed(),
    a("crying-face", "😢 😭", "a", "crying face", "crying faces")
        .or(&[("sad face", "sad faces")])
        .fixed(),
    a("smiling-face-with-horns", "😈 👿", "a", "devil", "devils").fixed(),
    a("girl", "👧", "a", "girl", "girls").fixed(),
    a(
        "face-with-tears-of-joy",
        "😂 🤣",
        "a",
        "laughing face",
        "laughing faces",
    )
    .fixed(),
    a("man", "👨", "a", "man", "men").fixed(),
    a("ninja", "🥷", "a", "ninja", "ninjas").fixed(),
    a("pile-of-poo", "💩", "a", "poop", "poops").or(&[("pile of poo", "piles of poo")]),
    a("princess", "👸", "a", "princess", "princesses").fixed(),
    a("santa-claus", "🎅", "a", "santa", "santas")
        .or(&[("santa claus", "santa clauses")])
        .fixed(),
    a("skull", "💀 ☠", "a", "skull", "skulls"),
    a(
        "grinning-face",
        "😀 🙂 ☺ 😊 😃 😄 😁",
        "a",
        "smiley face",
        "smiley faces",
    )
    .or(&[("smiley", "smileys"), ("happy face", "happy faces")])
    .fixed(),
    a(
        "smiling-face-with-heart-eyes",
        "😍",
        "a",
        "face with heart eyes",
        "faces with heart eyes",
    )
    .fixed(),
    a("woman", "👩", "a", "woman", "women").fixed(),
    // Body.
    a("bone", "🦴", "a", "bone", "bones"),
    a("brain", "🧠", "a", "brain", "brains"),
    a("eye", "👁 👀", "an", "eye", "eyes").fixed(),
    a("foot", "🦶", "a", "foot", "feet"),
    a("raised-hand", "✋ 👋 🖐", "a", "hand", "hands"),
    a("raised-fist", "✊ 👊", "a", "fist", "fists"),
    some("thumbs-up", "👍", "thumbs up"),
    a("tooth", "🦷", "a", "tooth", "teeth").fixed(),
    // Food.
    some("bacon", "🥓", "bacon"),
    a("baguette-bread", "🥖", "a", "baguette", "baguettes").fixed(),
    a("beer-mug", "🍺 🍻", "a", "beer", "beers")
        .or(&[("beer mug", "beer mugs")])
        .fixed(),
    a("bell-pepper", "🫑", "a", "bell pepper", "bell peppers"),
    some("blueberries", "🫐", "blueberries").fixed(),
    a("bowl-with-spoon", "🥣", "a", "bowl", "bowls"),
    some("broccoli", "🥦", "broccoli"),
    a("candy", "🍬", "a", "candy", "candies"),
    a("bottle-with-popping-cork", "🍾", "a", "bottle", "bottles").or(&[("champagne bottle", "champagne bottles")]),
    some("cherries", "🍒", "cherries").fixed(),
    a("chocolate-bar", "🍫", "a", "chocolate bar", "chocolate bars")
        .or(&[("bar of chocolate", "bars of chocolate")])
        .fixed(),
    a("poultry-leg", "🍗", "a", "chicken leg", "chicken legs")
        .or(&[("drumstick", "drumsticks")])
        .fixed(),
    a("cocktail-glass", "🍸", "a", "cocktail", "cocktails").fixed(),
    a("coconut", "🥥", "a", "coconut", "coconuts").fixed(),
    a("hot-beverage", "☕", "a", "coffee", "coffees").or(&[("cup of coffee", "cups of coffee"), ("tea", "teas")]),
    some("cooked-rice", "🍚", "rice").fixed(),
    a("cucumber", "🥒", "a", "cucumber", "cucumbers").fixed(),
    a("cup-with-straw", "🥤", "a", "soft drink", "soft drinks").or(&[("soda", "sodas")]),
    a("dumpling", "🥟", "a", "dumpling", "dumplings").fixed(),
    a("egg", "🥚", "an", "egg", "eggs"),
    a("cooking", "🍳", "a", "fried egg", "fried eggs")
        .or(&[("frying pan", "frying pans")])
        .fixed(),
    some("garlic", "🧄", "garlic"),
    a("honey-pot", "🍯", "a", "honey pot", "honey pots"),
    a("kiwi-fruit", "🥝", "a", "kiwi", "kiwis")
        .or(&[("kiwi fruit", "kiwi fruits")])
        .fixed(),
    a("kitchen-knife", "🔪", "a", "knife", "knives"),
    a("leafy-green", "🥬", "a", "lettuce", "lettuces"),
    a("lime", "🍋‍🟩", "a", "lime", "limes"),
    a("mango", "🥭", "a", "mango", "mangoes").fixed(),
    some("meat-on-bone", "🍖", "meat").fixed(),
    a("melon", "🍈", "a", "melon", "melons"),
    some("glass-of-milk", "🥛", "milk").or(&[("glass of milk", "")]).fixed(),
    some("steaming-bowl", "🍜", "noodles").or(&[("ramen", "")]).fixed(),
    a("onion", "🧅", "an", "onion", "onions"),
    some("pancakes", "🥞", "pancakes").fixed(),
    a("peanuts", "🥜", "a", "peanut", "peanuts").fixed(),
    a("pie", "🥧", "a", "pie", "pies").fixed(),
    some("popcorn", "🍿", "popcorn").fixed(),
    a("potato", "🥔", "a", "potato", "potatoes").fixed(),
    a("green-salad", "🥗", "a", "salad", "salads").fixed(),
    a("sandwich", "🥪", "a", "sandwich", "sandwiches").fixed(),
    a("shortcake", "🍰", "a", "slice of cake", "slices of cake")
        .or(&[("shortcake", "shortcakes")])
        .fixed(),
    some("spaghetti", "🍝", "spaghetti").or(&[("pasta", "")]).fixed(),
    a("spoon", "🥄", "a", "spoon", "spoons"),
    a("cut-of-meat", "🥩", "a", "steak", "steaks"),
    a("ice-cream", "🍨", "a", "sundae", "sundaes"),
    some("sushi", "🍣", "sushi").fixed(),
    a("taco", "🌮", "a", "taco", "tacos").fixed(),
    a("tangerine", "🍊", "a", "tangerine", "tangerines").or(&[("mandarin", "mandarins")]),
    a("teacup-without-handle", "🍵", "a", "cup of tea", "cups of tea").or(&[("teacup", "teacups")]),
    a("waffle", "🧇", "a", "waffle", "waffles").fixed(),
    a("wine-glass", "🍷", "a", "glass of wine", "glasses of wine").or(&[("wine glass", "wine glasses")]),
    // Vehicles and traffic.
    a("ambulance", "🚑", "an", "ambulance", "ambulances").fixed(),
    a("anchor", "⚓", "an", "anchor", "anchors"),
    a("canoe", "🛶", "a", "canoe", "canoes").or(&[("kayak", "kayaks")]),
    a("passenger-ship", "🛳", "a", "cruise ship", "cruise ships"),
    a("sport-utility-vehicle", "🚙", "a", "jeep", "jeeps").or(&[("suv", "suvs")]),
    a("ring-buoy", "🛟", "a", "lifebuoy", "lifebuoys").or(&[("life ring", "life rings")]),
    a("motorcycle", "🏍", "a", "motorcycle", "motorcycles").or(&[("motorbike", "motorbikes")]),
    a("parachute", "🪂", "a", "parachute", "parachutes"),
    a("pickup-truck", "🛻", "a", "pickup truck", "pickup trucks").or(&[("pickup", "pickups")]),
    a("police-car", "🚓", "a", "police car", "police cars").fixed(),
    a("racing-car", "🏎", "a", "race car", "race cars").or(&[("racing car", "racing cars")]),
    a("roller-skate", "🛼", "a", "roller skate", "roller skates"),
    a("satellite", "🛰", "a", "satellite", "satellites").fixed(),
    a("skateboard", "🛹", "a", "skateboard", "skateboards"),
    a("speedboat", "🚤", "a", "speedboat", "speedboats").fixed(),
    a("stop-sign", "🛑", "a", "stop sign", "stop signs").fixed(),
    a("taxi", "🚕", "a", "taxi", "taxis").or(&[("cab", "cabs")]),
    a(
        "vertical-traffic-light",
        "🚦 🚥",
        "a",
        "traffic light",
        "traffic lights",
    )
    .fixed(),
    a("tram", "🚊", "a", "tram", "trams").or(&[("streetcar", "streetcars")]),
    a("minibus", "🚐", "a", "van", "vans").or(&[("minibus", "minibuses")]),
    a("wheel", "🛞", "a", "wheel", "wheels").or(&[("tire", "tires")]),
    a("manual-wheelchair", "🦽", "a", "wheelchair", "wheelchairs"),
    // Buildings and landscape.
    a("church", "⛪", "a", "church", "churches").fixed(),
    a("circus-tent", "🎪", "a", "circus tent", "circus tents").or(&[("circus", "circuses")]),
    a("factory", "🏭", "a", "factory", "factories").fixed(),
    a("fountain", "⛲", "a", "fountain", "fountains").fixed(),
    a("globe-showing-americas", "🌎 🌍 🌏", "a", "globe", "globes")
        .or(&[("earth", "earths")])
        .fixed(),
    a("hut", "🛖", "a", "hut", "huts").fixed(),
    a("desert-island", "🏝", "an", "island", "islands")
        .or(&[("desert island", "desert islands")])
        .fixed(),
    a("japanese-castle", "🏯", "a", "japanese castle", "japanese castles")
        .or(&[("pagoda", "pagodas")])
        .fixed(),
    a("wood", "🪵", "a", "log", "logs").or(&[("wood", "woods")]),
    a("mosque", "🕌", "a", "mosque", "mosques").fixed(),
    a("snow-capped-mountain", "🏔 ⛰ 🗻", "a", "mountain", "mountains").fixed(),
    a("office-building", "🏢", "an", "office building", "office buildings").or(&[("skyscraper", "skyscrapers")]),
    a("ringed-planet", "🪐", "a", "planet", "planets").or(&[("saturn", "saturns")]),
    a("rock", "🪨", "a", "rock", "rocks").or(&[("stone", "stones")]).fixed(),
    a("roller-coaster", "🎢", "a", "roller coaster", "roller coasters").fixed(),
    a(
        "statue-of-liberty",
        "🗽",
        "a",
        "statue of liberty",
        "statues of liberty",
    )
    .without(&[Simple]),
    a("classical-building", "🏛", "a", "temple", "temples").fixed(),
    a("tokyo-tower", "🗼", "a", "tower", "towers").or(&[("eiffel tower", "eiffel towers")]),
    a("tornado", "🌪", "a", "tornado", "tornadoes"),
    a("droplet", "💧", "a", "water drop", "water drops").or(&[("drop", "drops")]),
    a("water-wave", "🌊", "a", "wave", "waves"),
    a("cloud-with-rain", "🌧", "a", "rain cloud", "rain clouds").fixed(),
    // Plants.
    a("bouquet", "💐", "a", "bouquet", "bouquets").fixed(),
    a("hibiscus", "🌺", "a", "hibiscus", "hibiscuses"),
    a("lotus", "🪷", "a", "lotus", "lotuses").or(&[("water lily", "water lilies")]),
    a("potted-plant", "🪴", "a", "potted plant", "potted plants")
        .or(&[("plant", "plants")])
        .fixed(),
    // Clothes.
    a("briefcase", "💼", "a", "briefcase", "briefcases"),
    a("coat", "🧥", "a", "coat", "coats").or(&[("jacket", "jackets")]),
    a("hair-pick", "🪮", "a", "comb", "combs"),
    a("folding-hand-fan", "🪭", "a", "fan", "fans"),
    some("glasses", "👓", "glasses").or(&[("eyeglasses", "")]),
    some("gloves", "🧤", "gloves").or(&[("mittens", "")]),
    a("graduation-cap", "🎓", "a", "graduation cap", "graduation caps"),
    a("military-helmet", "🪖", "a", "helmet", "helmets"),
    a("kimono", "👘", "a", "kimono", "kimonos"),
    a("lipstick", "💄", "a", "lipstick", "lipsticks").fixed(),
    a("ring", "💍", "a", "ring", "rings").fixed(),
    a("ribbon", "🎀", "a", "bow", "bows"),
    a("mans-shoe", "👞", "a", "shoe", "shoes"),
    some("shorts", "🩳", "shorts"),
    a("running-shoe", "👟", "a", "sneaker", "sneakers")
        .or(&[("trainer", "trainers"), ("running shoe", "running shoes")]),
    some("socks", "🧦", "socks"),
    a("womans-hat", "👒", "a", "straw hat", "straw hats").or(&[("sun hat", "sun hats")]),
    some("sunglasses", "🕶", "sunglasses"),
    a("one-piece-swimsuit", "🩱", "a", "swimsuit", "swimsuits"),
    a("necktie", "👔", "a", "tie", "ties").or(&[("necktie", "neckties")]),
    // Sports, play and music.
    a("accordion", "🪗", "an", "accordion", "accordions"),
    a(
        "american-football",
        "🏈",
        "an",
        "american football",
        "american footballs",
    )
    .or(&[("rugby ball", "rugby balls")]),
    a("banjo", "🪕", "a", "banjo", "banjos"),
    a("baseball", "⚾", "a", "baseball", "baseballs").fixed(),
    a("bowling", "🎳", "a", "bowling ball", "bowling balls").fixed(),
    a("boxing-glove", "🥊", "a", "boxing glove", "boxing gloves"),
    a("chess-pawn", "♟", "a", "chess pawn", "chess pawns").or(&[("chess piece", "chess pieces")]),
    a("crystal-ball", "🔮", "a", "crystal ball", "crystal balls"),
    a("game-die", "🎲", "a", "die", "dice").fixed(),
    a("mirror-ball", "🪩", "a", "disco ball", "disco balls").fixed(),
    a("drum", "🥁", "a", "drum", "drums").fixed(),
    a("fishing-pole", "🎣", "a", "fishing rod", "fishing rods").fixed(),
    a("video-game", "🎮", "a", "game controller", "game controllers")
        .or(&[("gamepad", "gamepads")])
        .fixed(),
    a("ice-skate", "⛸", "an", "ice skate", "ice skates").fixed(),
    a("magic-wand", "🪄", "a", "magic wand", "magic wands").fixed(),
    a("sports-medal", "🏅 🥇", "a", "medal", "medals")
        .or(&[("gold medal", "gold medals")])
        .fixed(),
    a("framed-picture", "🖼", "a", "painting", "paintings")
        .or(&[("picture frame", "picture frames")])
        .fixed(),
    a("artist-palette", "🎨", "a", "palette", "palettes").fixed(),
    a("musical-keyboard", "🎹", "a", "piano", "pianos").fixed(),
    a("saxophone", "🎷", "a", "saxophone", "saxophones"),
    a("sled", "🛷", "a", "sled", "sleds").or(&[("sleigh", "sleighs")]),
    a("bullseye", "🎯", "a", "target", "targets")
        .or(&[("dartboard", "dartboards")])
        .fixed(),
    a("tennis", "🎾", "a", "tennis ball", "tennis balls")
        .fixed()
        .without(&[Simple]),
    a("volleyball", "🏐", "a", "volleyball", "volleyballs").fixed(),
    a("water-pistol", "🔫", "a", "water gun", "water guns")
        .or(&[("water pistol", "water pistols")])
        .fixed(),
    some("yarn", "🧶", "yarn").or(&[("ball of yarn", "")]),
    a("yo-yo", "🪀", "a", "yo-yo", "yo-yos"),
    // Tools and home.
    a("axe", "🪓", "an", "axe", "axes").fixed(),
    a("adhesive-bandage", "🩹", "a", "bandage", "bandages").or(&[("plaster", "plasters")]),
    a("basket", "🧺", "a", "basket", "baskets"),
    a("bathtub", "🛁", "a", "bathtub", "bathtubs")
        .or(&[("bath", "baths")])
        .fixed(),
    a("battery", "🔋 🪫", "a", "battery", "batteries").fixed(),
    a("bed", "🛏", "a", "bed", "beds").fixed(),
    a("bomb", "💣", "a", "bomb", "bombs"),
    a("bow-and-arrow", "🏹", "a", "bow and arrow", "bows and arrows").fixed(),
    a("package", "📦", "a", "box", "boxes").or(&[("cardboard box", "cardboard boxes"), ("package", "packages")]),
    a("broom", "🧹", "a", "broom", "brooms"),
    a("coin", "🪙", "a", "coin", "coins"),
    a("compass", "🧭", "a", "compass", "compasses").fixed(),
    a("couch-and-lamp", "🛋", "a", "couch", "couches")
        .or(&[("sofa", "sofas")])
        .fixed(),
    a("crayon", "🖍", "a", "crayon", "crayons"),
    a("door", "🚪", "a", "door", "doors"),
    a(
        "fire-extinguisher",
        "🧯",
        "a",
        "fire extinguisher",
        "fire extinguishers",
    ),
    a("flashlight", "🔦", "a", "flashlight", "flashlights").or(&[("torch", "torches")]),
    a("gear", "⚙", "a", "gear", "gears").or(&[("cog", "cogs")]).fixed(),
    a("hourglass-done", "⌛ ⏳", "a", "hourglass", "hourglasses")
        .or(&[("sand timer", "sand timers")])
        .fixed(),
    a("ladder", "🪜", "a", "ladder", "ladders"),
    a(
        "magnifying-glass-tilted-left",
        "🔍 🔎",
        "a",
        "magnifying glass",
        "magnifying glasses",
    )
    .fixed(),
    a("postbox", "📮", "a", "mailbox", "mailboxes").or(&[("postbox", "postboxes")]),
    a("microscope", "🔬", "a", "microscope", "microscopes").fixed(),
    a("mirror", "🪞", "a", "mirror", "mirrors"),
    a("paintbrush", "🖌", "a", "paintbrush", "paintbrushes").fixed(),
    a("red-paper-lantern", "🏮", "a", "lantern", "lanterns").or(&[("paper lantern", "paper lanterns")]),
    a("pick", "⛏", "a", "pickaxe", "pickaxes").fixed(),
    a("pill", "💊", "a", "pill", "pills").fixed(),
    a("straight-ruler", "📏", "a", "ruler", "rulers"),
    a("carpentry-saw", "🪚", "a", "saw", "saws").fixed(),
    a("screwdriver", "🪛", "a", "screwdriver", "screwdrivers").fixed(),
    a("shopping-cart", "🛒", "a", "shopping cart", "shopping carts"),
    some("soap", "🧼", "soap").or(&[("bar of soap", "")]),
    some("crossed-swords", "⚔", "swords").fixed(),
    a("syringe", "💉", "a", "syringe", "syringes").fixed(),
    a("test-tube", "🧪", "a", "test tube", "test tubes"),
    a("toilet", "🚽", "a", "toilet", "toilets").fixed(),
    a("toothbrush", "🪥", "a", "toothbrush", "toothbrushes"),
    a("wastebasket", "🗑", "a", "trash can", "trash cans").or(&[("bin", "bins"), ("wastebasket", "wastebaskets")]),
    a("amphora", "🏺", "a", "vase", "vases").or(&[("amphora", "amphorae")]),
    a("watch", "⌚", "a", "watch", "watches")
        .or(&[("wristwatch", "wristwatches")])
        .fixed(),
    a("window", "🪟", "a", "window", "windows").fixed(),
    a("wrench", "🔧", "a", "wrench", "wrenches")
        .or(&[("spanner", "spanners")])
        .fixed(),
    // Devices and papers.
    a("desktop-computer", "🖥", "a", "computer", "computers")
        .or(&[("monitor", "monitors")])
        .fixed(),
    a("computer-mouse", "🖱", "a", "computer mouse", "computer mice").fixed(),
    a("calendar", "📅 📆 🗓", "a", "calendar", "calendars").fixed(),
    a("books", "📚", "a", "pile of books", "piles of books")
        .or(&[("stack of books", "stacks of books")])
        .fixed(),
    a("dollar-banknote", "💵", "a", "banknote", "banknotes").or(&[("dollar bill", "dollar bills")]),
    a("envelope", "✉ 📧 📨", "an", "envelope", "envelopes").or(&[("letter", "letters")]),
    a("floppy-disk", "💾", "a", "floppy disk", "floppy disks"),
    some("headphone", "🎧", "headphones"),
    a("keyboard", "⌨", "a", "keyboard", "keyboards").fixed(),
    a("megaphone", "📣", "a", "megaphone", "megaphones").fixed(),
    a("microphone", "🎤", "a", "microphone", "microphones").fixed(),
    a("money-bag", "💰", "a", "money bag", "money bags"),
    a("movie-camera", "🎥", "a", "movie camera", "movie cameras").or(&[("film camera", "film cameras")]),
    a("musical-note", "🎵", "a", "musical note", "musical notes").or(&[("music note", "music notes")]),
    a("newspaper", "📰", "a", "newspaper", "newspapers").fixed(),
    a("open-book", "📖", "an", "open book", "open books").fixed(),
    a("pen", "🖊 🖋", "a", "pen", "pens"),
    a("radio", "📻", "a", "radio", "radios").fixed(),
    a("scroll", "📜", "a", "scroll", "scrolls"),
    a("mobile-phone", "📱", "a", "smartphone", "smartphones")
        .or(&[("cell phone", "cell phones"), ("mobile phone", "mobile phones")])
        .fixed(),
    a("stopwatch", "⏱", "a", "stopwatch", "stopwatches").fixed(),
    a("telescope", "🔭", "a", "telescope", "telescopes").fixed(),
    a("television", "📺", "a", "tv", "tvs")
        .or(&[("television", "televisions")])
        .fixed(),
    // Signs and shapes.
    a("red-circle", "⭕", "a", "circle", "circles").or(&[("disc", "discs")]),
    a("red-square", "🔲 🔳", "a", "square", "squares"),
    a("red-triangle-pointed-down", "🔻", "a", "triangle", "triangles"),
    a("check-mark-button", "✅ ✔", "a", "check mark", "check marks")
        .or(&[("tick", "ticks")])
        .fixed(),
    a("cross-mark", "❌", "a", "cross", "crosses"),
    a("broken-heart", "💔", "a", "broken heart", "broken hearts"),
    a("triangular-flag", "🚩", "a", "flag", "flags"),
    a("chequered-flag", "🏁", "a", "checkered flag", "checkered flags").fixed(),
    a("pirate-flag", "🏴‍☠", "a", "pirate flag", "pirate flags").fixed(),
    a("red-question-mark", "❓ ❔", "a", "question mark", "question marks"),
    a(
        "red-exclamation-mark",
        "❗ ❕",
        "an",
        "exclamation mark",
        "exclamation marks",
    ),
    a("collision", "💥", "an", "explosion", "explosions").fixed(),
    a("speech-balloon", "💬", "a", "speech bubble", "speech bubbles").fixed(),
];
