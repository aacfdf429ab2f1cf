using System.Text;
using System.Text.Json;

namespace KpiControl.EndToEnd.Tests.Canaries;

/// <summary>A secret that nobody else has, and how it looks where it has got to.</summary>
/// <param name="Name">What it was planted in.</param>
/// <param name="Core">32 random characters that no escaping changes.</param>
/// <param name="Value">The secret: the core with characters that each escaping does change.</param>
internal sealed record Canary(string Name, string Core, string Value)
{
    public static Canary Hatch(string name, string around = "{0}/+\"&=")
    {
        var core = Guid.NewGuid().ToString("N");
        return new Canary(name, core, string.Format(System.Globalization.CultureInfo.InvariantCulture, around, core));
    }

    /// <summary>Plain, URL, JSON, hexadecimal, and base64 at each of its three alignments.</summary>
    public IReadOnlyDictionary<string, string> Forms { get; } = FormsOf(Core, Value).DistinctBy(form => form.Text).ToDictionary(form => form.Form, form => form.Text);

    public IEnumerable<string> FoundIn(byte[] place) =>
        Forms.Where(form => place.AsSpan().IndexOf(Encoding.UTF8.GetBytes(form.Value)) >= 0).Select(form => $"{Name} ({form.Key})");

    private static IEnumerable<(string Form, string Text)> FormsOf(string core, string value)
    {
        yield return ("core", core);
        yield return ("plain", value);
        yield return ("URL", Uri.EscapeDataString(value));
        yield return ("URL form", System.Net.WebUtility.UrlEncode(value));
        yield return ("JSON", JsonSerializer.Serialize(value)[1..^1]);
        yield return ("JSON relaxed", value.Replace("\"", "\\\"", StringComparison.Ordinal));
        yield return ("hexadecimal", Convert.ToHexStringLower(Encoding.UTF8.GetBytes(core)));
        yield return ("hexadecimal upper", Convert.ToHexString(Encoding.UTF8.GetBytes(core)));
        // Whole groups of three bytes: what stands before and after does not change them.
        for (var skip = 0; skip < 3; skip++)
        {
            var whole = core[skip..^((core.Length - skip) % 3)];
            yield return ($"base64 alignment {skip}", Convert.ToBase64String(Encoding.UTF8.GetBytes(whole)));
        }
    }
}
