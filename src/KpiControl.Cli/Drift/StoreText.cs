using System.Globalization;
using KpiControl.Cli.Output;
using KpiControl.Protocol.V1;

namespace KpiControl.Cli.Drift;

/// <summary>Stores on a terminal.</summary>
internal static class StoreText
{
    public static void Print(Session session, IReadOnlyCollection<ArtifactStore> stores)
    {
        if (stores.Count == 0)
        {
            session.World.Error.WriteLine("no stores: an operator configures them (Drift:Stores, docs/drift.md)");
            return;
        }
        var now = session.World.Clock.GetUtcNow();
        var table = new TextTable("STORE", "STATE", "OF", "KIND", "LOCATION", "ARTIFACTS", "READ", "VERSION", "SAYS").Numeric(5);
        foreach (var store in stores)
            table.Row(store.Store, Cell.Status(store.State), $"{store.Tenant}/{store.Environment}", store.Kind, store.Branch.Length > 0 ? $"{store.Location} ({store.Branch})" : store.Location,
                store.Artifacts, Ages.Relative(store.ReadAt, now), Short(store.Version), Says(store, now));
        table.WriteTo(session.World);
    }

    public static string Line(ArtifactStore store) => store.State switch
    {
        "failing" => $"{store.Store} cannot be read since {Ages.Absolute(store.FailingSince)}: {store.Failure}",
        "unconfigured" => $"{store.Store} is not configured any more",
        "unread" => $"{store.Store} was not read yet",
        _ => string.Create(CultureInfo.InvariantCulture, $"{store.Store} holds {store.Artifacts} artifacts{(store.Branch.Length > 0 ? $" at {store.Version}" : "")}, {store.ContentsRead} of them read by the last pass"),
    };

    private static string Says(ArtifactStore store, DateTimeOffset now) => store.State == "failing" ? store.Failure
        : store.RewrittenAt is { } at ? $"history was rewritten {Ages.Relative(at, now)}: {Short(store.RewrittenFrom)} is no longer part of it" : "";

    private static string Short(string version) => version.Replace("sha256:", "", StringComparison.Ordinal) is { Length: > 7 } plain ? plain[..7] : "-";
}
