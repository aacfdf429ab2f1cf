using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;

namespace KpiControl.Control.Security;

/// <summary>Whose certificate it is: <c>spiffe://kpi-control/region/REGION/agent/NAME</c> among its alternative names.</summary>
internal sealed partial record AgentUri(string Region, string Agent)
{
    public override string ToString() => $"spiffe://kpi-control/region/{Region}/agent/{Agent}";

    /// <summary>Null where the certificate's first URI is none.</summary>
    public static AgentUri? Of(X509Certificate2 certificate)
    {
        var match = Form().Match(certificate.GetNameInfo(X509NameType.UrlName, forIssuer: false));
        return match.Success ? new AgentUri(match.Groups["region"].Value, match.Groups["agent"].Value) : null;
    }

    public static bool IsName(string agent) => Name().IsMatch(agent);

    public static bool IsRegion(string region) => Place().IsMatch(region);

    [GeneratedRegex(@"\Aspiffe://kpi-control/region/(?<region>[a-z][a-z0-9-]{0,31})/agent/(?<agent>[A-Za-z0-9][A-Za-z0-9._-]{0,99})\z", RegexOptions.CultureInvariant)]
    private static partial Regex Form();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,99}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Name();

    [GeneratedRegex(@"\A[a-z][a-z0-9-]{0,31}\z", RegexOptions.CultureInvariant)]
    private static partial Regex Place();
}
