namespace KpiControl.Cli.Login;

/// <summary>What a login left behind: good for one control plane. No secret of a client is ever in it, only where that is to be found.</summary>
internal sealed record SavedLogin
{
    public string Issuer { get; init; } = "";
    public string ClientId { get; init; } = "";

    /// <summary><c>env:NAME</c> or <c>file:PATH</c>: a service logs in anew by itself.</summary>
    public string? ClientSecret { get; init; }

    public string? Scope { get; init; }
    public string? Audience { get; init; }
    public string? Resource { get; init; }

    public string AccessToken { get; init; } = "";
    public DateTimeOffset ExpiresAt { get; init; }
    public string? RefreshToken { get; init; }

    public bool CanRenew => RefreshToken is not null || ClientSecret is not null;
}
