using System.ComponentModel.DataAnnotations;

namespace KpiControl.Control.Security;

/// <summary>Whose tokens count. There is no way to switch authentication off.</summary>
internal sealed class AuthenticationOptions : IValidatableObject
{
    public const string Section = "Authentication";

    /// <summary>The issuer's URL; its keys are found by OpenID Connect discovery.</summary>
    [Required(ErrorMessage = "Authentication:Issuer is missing: the URL of the OpenID Connect issuer")]
    public string Issuer { get; set; } = "";

    /// <summary>The audience a token must name.</summary>
    [Required(ErrorMessage = "Authentication:Audience is missing")]
    public string Audience { get; set; } = "kpi-control";

    /// <summary>How far the issuer's clock may differ, in seconds.</summary>
    [Range(0, 300)]
    public int ClockSkewSeconds { get; set; } = 30;

    /// <summary>How often the issuer's keys are fetched anew: for about so long a key that was withdrawn may still count.</summary>
    [Range(300, 86400, ErrorMessage = "Authentication:KeysMaxAgeSeconds must be from 300 to 86400")]
    public int KeysMaxAgeSeconds { get; set; } = 300;

    /// <summary>How soon after a fetch a token with an unknown key may cause another: for about so long a new key may not count yet.</summary>
    [Range(1, 300, ErrorMessage = "Authentication:KeysRetrySeconds must be from 1 to 300")]
    public int KeysRetrySeconds { get; set; } = 10;

    /// <summary>The types (<c>typ</c>) that count; empty: <c>at+jwt</c> and <c>JWT</c>, which many issuers still write into access tokens.</summary>
    public List<string> TokenTypes { get; set; } = [];

    public IReadOnlyList<string> AcceptedTypes => TokenTypes.Count > 0 ? TokenTypes : ["at+jwt", "application/at+jwt", "JWT"];

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Issuer.Length == 0)
            yield break;
        if (!Uri.TryCreate(Issuer, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https"))
            yield return new ValidationResult($"Authentication:Issuer '{Issuer}' is not a URL");
        else if (uri.Scheme == "http" && !uri.IsLoopback)
            yield return new ValidationResult("Authentication:Issuer must use https: without TLS anybody on the way could hand out keys. Only a loopback issuer may use http.");
    }
}
