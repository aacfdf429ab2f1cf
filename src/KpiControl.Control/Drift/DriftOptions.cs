using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;

namespace KpiControl.Control.Drift;

/// <summary>Where artifacts are kept, and how often that is looked at.</summary>
internal sealed partial class DriftOptions : IValidatableObject
{
    public const string Section = "Drift";

    /// <summary>By name: <c>Drift:Stores:acme-git:Kind</c> and so on. The name is what people see, and what <c>kpictl apply --source</c> may name.</summary>
    public Dictionary<string, StoreSettings> Stores { get; set; } = new(StringComparer.Ordinal);

    /// <summary>Between two passes over a store.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan SyncEvery { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>The longest pause after passes that failed; the first is five seconds, and each is twice the one before.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan LongestBackoff { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>How often each node looks whether a store is due.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:00:30")]
    public TimeSpan LookEvery { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a store may take to answer, a first clone included.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>How long a job must not have been as its store has it before somebody is told: what a commit and its apply do within minutes is no alert.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan AlertAfter { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Where clones of repositories are kept, for this process alone; empty: a directory of its own that goes with it. Nothing in it is worth a backup.</summary>
    public string CacheDirectory { get; set; } = "";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        Stores.SelectMany(store => NameMistakes(store.Key).Concat(store.Value.Mistakes()).Select(mistake => new ValidationResult($"Drift:Stores:{store.Key}{mistake}")));

    private static IEnumerable<string> NameMistakes(string name) =>
        StoreName().IsMatch(name) ? [] : [" is not a store's name: a-z, digits, - _ and ., beginning with a letter or digit, at most 63"];

    [GeneratedRegex(@"^[a-z0-9][a-z0-9._-]{0,62}\z", RegexOptions.CultureInvariant)]
    private static partial Regex StoreName();
}
