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
const fn a(icon: &'static str, article: &'static str, noun: &'static str, plural: &'static str) -> Concept {
    Concept {
        icon,
        noun,
        article,
        plural,
        synonyms: &[],
        fixed: false,
        without: &[],
    }
}

/// A concept that takes no article and is not counted.
const fn some(icon: &'static str, noun: &'static str) -> Concept {
    a(icon, "", noun, "")
}

use Style::Simple;

/// All concepts, by subject.
pub const CONCEPTS: &[Concept] = &[
    // Animals.
    a("bear", "a", "bear", "bears"),
    a("honeybee", "a", "bee", "bees")
        .or(&[("honeybee", "honeybees")])
        .fixed(),
    a("bird", "a", "bird", "birds"),
    a("butterfly", "a", "butterfly", "butterflies"),
    a("camel", "a", "camel", "camels"),
    a("cat-face", "a", "cat", "cats").or(&[("kitty", "kitties")]),
    a("cow-face", "a", "cow", "cows").fixed(),
    a("crab", "a", "crab", "crabs"),
    a("crocodile", "a", "crocodile", "crocodiles").or(&[("alligator", "alligators")]),
    a("sauropod", "a", "dinosaur", "dinosaurs").or(&[("dino", "dinos")]),
    a("dog", "a", "dog", "dogs").or(&[("puppy", "puppies")]),
    a("dolphin", "a", "dolphin", "dolphins"),
    a("duck", "a", "duck", "ducks").fixed(),
    a("elephant", "an", "elephant", "elephants"),
    a("fish", "a", "fish", "fish"),
    a("flamingo", "a", "flamingo", "flamingos"),
    a("fox", "a", "fox", "foxes"),
    a("frog", "a", "frog", "frogs").or(&[("toad", "toads")]),
    a("giraffe", "a", "giraffe", "giraffes"),
    a("hedgehog", "a", "hedgehog", "hedgehogs").fixed(),
    a("horse", "a", "horse", "horses").or(&[("pony", "ponies")]),
    a("koala", "a", "koala", "koalas"),
    a("lady-beetle", "a", "ladybug", "ladybugs").or(&[("ladybird", "ladybirds")]),
    a("lion", "a", "lion", "lions").fixed(),
    a("lobster", "a", "lobster", "lobsters"),
    a("monkey-face", "a", "monkey", "monkeys"),
    a("mouse-face", "a", "mouse", "mice"),
    a("octopus", "an", "octopus", "octopuses"),
    a("owl", "an", "owl", "owls"),
    a("panda", "a", "panda", "pandas").fixed(),
    a("parrot", "a", "parrot", "parrots").fixed(),
    a("penguin", "a", "penguin", "penguins").fixed(),
    a("pig-face", "a", "pig", "pigs").or(&[("piglet", "piglets")]),
    a("rabbit-face", "a", "rabbit", "rabbits").or(&[("bunny", "bunnies")]),
    a("shark", "a", "shark", "sharks"),
    a("ewe", "a", "sheep", "sheep").fixed(),
    a("snail", "a", "snail", "snails"),
    a("snake", "a", "snake", "snakes").or(&[("serpent", "serpents")]),
    a("spider", "a", "spider", "spiders"),
    a("squid", "a", "squid", "squids"),
    a("swan", "a", "swan", "swans").fixed(),
    a("tiger-face", "a", "tiger", "tigers").fixed(),
    a("turtle", "a", "turtle", "turtles").or(&[("tortoise", "tortoises")]),
    a("unicorn", "a", "unicorn", "unicorns").fixed(),
    a("whale", "a", "whale", "whales"),
    a("zebra", "a", "zebra", "zebras").fixed().without(&[Simple]),
    // Food.
    a("red-apple", "an", "apple", "apples"),
    a("avocado", "an", "avocado", "avocados").fixed(),
    a("banana", "a", "banana", "bananas"),
    some("bread", "bread").fixed(),
    a("birthday-cake", "a", "cake", "cakes")
        .or(&[("birthday cake", "birthday cakes")])
        .fixed(),
    a("carrot", "a", "carrot", "carrots"),
    some("cheese-wedge", "cheese"),
    a("cookie", "a", "cookie", "cookies")
        .or(&[("biscuit", "biscuits")])
        .fixed(),
    some("ear-of-corn", "corn").or(&[("maize", "")]).fixed(),
    a("croissant", "a", "croissant", "croissants").fixed(),
    a("cupcake", "a", "cupcake", "cupcakes").or(&[("muffin", "muffins")]),
    a("doughnut", "a", "donut", "donuts").or(&[("doughnut", "doughnuts")]),
    a("eggplant", "an", "eggplant", "eggplants").or(&[("aubergine", "aubergines")]),
    some("french-fries", "french fries").or(&[("fries", "")]).fixed(),
    some("grapes", "grapes"),
    a("hamburger", "a", "hamburger", "hamburgers")
        .or(&[("burger", "burgers")])
        .fixed(),
    a("hot-dog", "a", "hot dog", "hot dogs").fixed(),
    some("soft-ice-cream", "ice cream"),
    a("lemon", "a", "lemon", "lemons"),
    a("lollipop", "a", "lollipop", "lollipops").fixed(),
    a("mushroom", "a", "mushroom", "mushrooms").or(&[("toadstool", "toadstools")]),
    a("peach", "a", "peach", "peaches"),
    a("pear", "a", "pear", "pears"),
    a("hot-pepper", "a", "chili pepper", "chili peppers").or(&[("chili", "chilies")]),
    a("pineapple", "a", "pineapple", "pineapples"),
    a("pizza", "a", "pizza", "pizzas").fixed(),
    a("pretzel", "a", "pretzel", "pretzels"),
    a("strawberry", "a", "strawberry", "strawberries"),
    a("teapot", "a", "teapot", "teapots"),
    a("tomato", "a", "tomato", "tomatoes"),
    a("watermelon", "a", "watermelon", "watermelons").fixed(),
    // Vehicles.
    a("airplane", "an", "airplane", "airplanes").or(&[("plane", "planes"), ("aeroplane", "aeroplanes")]),
    a("bicycle", "a", "bicycle", "bicycles").or(&[("bike", "bikes")]),
    a("bus", "a", "bus", "buses"),
    a("automobile", "a", "car", "cars").or(&[("automobile", "automobiles")]),
    a("fire-engine", "a", "fire truck", "fire trucks")
        .or(&[("fire engine", "fire engines")])
        .fixed(),
    a("helicopter", "a", "helicopter", "helicopters"),
    a("motor-scooter", "a", "scooter", "scooters").or(&[("moped", "mopeds")]),
    a("rocket", "a", "rocket", "rockets").or(&[("spaceship", "spaceships")]),
    a("sailboat", "a", "sailboat", "sailboats")
        .or(&[("boat", "boats")])
        .fixed(),
    a("tractor", "a", "tractor", "tractors"),
    a("locomotive", "a", "train", "trains")
        .or(&[("locomotive", "locomotives")])
        .fixed(),
    a("delivery-truck", "a", "truck", "trucks").or(&[("lorry", "lorries")]),
    a("flying-saucer", "a", "flying saucer", "flying saucers")
        .or(&[("ufo", "ufos")])
        .fixed(),
    // Buildings.
    a("castle", "a", "castle", "castles").fixed(),
    a("ferris-wheel", "a", "ferris wheel", "ferris wheels").fixed(),
    a("house", "a", "house", "houses").or(&[("home", "homes")]),
    a("tent", "a", "tent", "tents"),
    a("volcano", "a", "volcano", "volcanoes").fixed(),
    // Plants.
    a("cactus", "a", "cactus", "cacti"),
    a("christmas-tree", "a", "christmas tree", "christmas trees").fixed(),
    a("four-leaf-clover", "a", "clover", "clovers").or(&[("four-leaf clover", "four-leaf clovers")]),
    a("cherry-blossom", "a", "flower", "flowers").or(&[("blossom", "blossoms")]),
    a("maple-leaf", "a", "maple leaf", "maple leaves").or(&[("leaf", "leaves")]),
    a("palm-tree", "a", "palm tree", "palm trees").or(&[("palm", "palms")]),
    a("evergreen-tree", "a", "pine tree", "pine trees").or(&[("fir tree", "fir trees")]),
    a("rose", "a", "rose", "roses"),
    a("sunflower", "a", "sunflower", "sunflowers").fixed(),
    a("deciduous-tree", "a", "tree", "trees"),
    a("tulip", "a", "tulip", "tulips"),
    // Clothes.
    a("backpack", "a", "backpack", "backpacks").or(&[("rucksack", "rucksacks")]),
    a("womans-boot", "a", "boot", "boots"),
    a("billed-cap", "a", "cap", "caps").or(&[("baseball cap", "baseball caps")]),
    a("crown", "a", "crown", "crowns"),
    a("gem-stone", "a", "diamond", "diamonds").or(&[("gem", "gems"), ("jewel", "jewels")]),
    a("dress", "a", "dress", "dresses"),
    a("handbag", "a", "handbag", "handbags").or(&[("purse", "purses")]),
    a("top-hat", "a", "hat", "hats").or(&[("top hat", "top hats")]),
    a("high-heeled-shoe", "a", "high heel", "high heels"),
    some("jeans", "jeans").or(&[("trousers", "")]),
    a("scarf", "a", "scarf", "scarves"),
    a("t-shirt", "a", "t-shirt", "t-shirts").or(&[("shirt", "shirts"), ("tee shirt", "tee shirts")]),
    a("umbrella", "an", "umbrella", "umbrellas").or(&[("parasol", "parasols")]),
    // Things.
    a("alarm-clock", "an", "alarm clock", "alarm clocks").or(&[("clock", "clocks")]),
    a("balloon", "a", "balloon", "balloons"),
    a("basketball", "a", "basketball", "basketballs"),
    a("bell", "a", "bell", "bells"),
    a("closed-book", "a", "book", "books"),
    a("bucket", "a", "bucket", "buckets").or(&[("pail", "pails")]),
    a("camera", "a", "camera", "cameras").fixed(),
    a("candle", "a", "candle", "candles").fixed(),
    a("chair", "a", "chair", "chairs"),
    a("wrapped-gift", "a", "gift", "gifts").or(&[("present", "presents")]),
    a("guitar", "a", "guitar", "guitars"),
    a("hammer", "a", "hammer", "hammers").fixed(),
    a("key", "a", "key", "keys"),
    a("kite", "a", "kite", "kites").fixed(),
    a("laptop", "a", "laptop", "laptops").fixed(),
    a("light-bulb", "a", "light bulb", "light bulbs").or(&[("bulb", "bulbs")]),
    a("locked", "a", "lock", "locks").or(&[("padlock", "padlocks")]),
    a("magnet", "a", "magnet", "magnets"),
    a("pencil", "a", "pencil", "pencils"),
    a("puzzle-piece", "a", "puzzle piece", "puzzle pieces"),
    a("robot", "a", "robot", "robots").fixed(),
    some("scissors", "scissors"),
    a("shield", "a", "shield", "shields"),
    a("soccer-ball", "a", "soccer ball", "soccer balls")
        .or(&[("football", "footballs")])
        .fixed(),
    a("luggage", "a", "suitcase", "suitcases"),
    a("teddy-bear", "a", "teddy bear", "teddy bears").or(&[("teddy", "teddies")]),
    a("telephone", "a", "telephone", "telephones").or(&[("phone", "phones")]),
    a("trophy", "a", "trophy", "trophies"),
    a("trumpet", "a", "trumpet", "trumpets"),
    a("violin", "a", "violin", "violins"),
    // Sky and spirits.
    a("cloud", "a", "cloud", "clouds").fixed(),
    some("fire", "fire").or(&[("flame", "")]),
    a("ghost", "a", "ghost", "ghosts").fixed(),
    a("red-heart", "a", "heart", "hearts"),
    a("high-voltage", "a", "lightning bolt", "lightning bolts"),
    a("crescent-moon", "a", "moon", "moons"),
    a("jack-o-lantern", "a", "pumpkin", "pumpkins").or(&[("jack-o-lantern", "jack-o-lanterns")]),
    a("rainbow", "a", "rainbow", "rainbows").fixed(),
    a("snowflake", "a", "snowflake", "snowflakes"),
    a("snowman-without-snow", "a", "snowman", "snowmen").fixed(),
    a("star", "a", "star", "stars"),
    a("sun", "a", "sun", "suns"),
];
