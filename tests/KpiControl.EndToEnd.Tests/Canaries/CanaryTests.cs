using System.Text;
using System.Text.Json;

namespace KpiControl.EndToEnd.Tests.Canaries;

/// <summary>Secrets of every resolver, in jobs that go well and in what goes wrong: none is in anything that was written or sent.</summary>
public sealed class CanaryTests
{
    [Fact]
    public async Task No_secret_of_any_resolver_is_in_anything_that_was_written_or_sent()
    {
        await using var cage = await Cage.OpenAsync();
        await cage.RunJobsAsync();

        var places = await cage.PlacesAsync();
        // Each place holds what it must hold: an empty one would pass every search.
        foreach (var (place, marker) in Cage.Markers)
            Assert.True(Encoding.UTF8.GetString(places[place]).Contains(marker, StringComparison.Ordinal), $"{place} does not hold {marker}");
        Assert.All(["kpicontrol.agent.stream", "kpicontrol.agent.outbox.waiting", "kpicontrol.agent.slots.running", "kpicontrol.agent.attempt.duration"],
            name => Assert.Contains(name, Encoding.UTF8.GetString(places["agent's metrics"]), StringComparison.Ordinal));
        foreach (var canary in cage.Canaries)
            Assert.Empty(places.SelectMany(place => canary.FoundIn(place.Value).Select(found => $"{place.Key}: {found}")));

        // The same search finds each canary in each of its forms, once somebody does put it there.
        await cage.LeakAsync();
        var leaking = await cage.PlacesAsync();
        foreach (var place in Cage.Leaked)
            foreach (var canary in cage.Canaries)
                Assert.NotEmpty(canary.FoundIn(leaking[place]));
        foreach (var canary in cage.Canaries)
            Assert.Equal(canary.Forms.Count, canary.FoundIn(leaking["outbox files"]).Count());
    }

    [Theory, InlineData(""), InlineData("u"), InlineData("us"), InlineData("Bearer ")]
    public void The_search_finds_a_secret_within_a_longer_text_in_each_form(string before)
    {
        var canary = Canary.Hatch("test");
        var text = $"{before}{canary.Value}:after";
        foreach (var form in new[] { text, Uri.EscapeDataString(text), JsonSerializer.Serialize(text), Convert.ToBase64String(Encoding.UTF8.GetBytes(text)), Convert.ToHexString(Encoding.UTF8.GetBytes(text)) })
            Assert.NotEmpty(canary.FoundIn(Encoding.UTF8.GetBytes($"x{form}x")));
        Assert.Empty(Canary.Hatch("other").FoundIn(Encoding.UTF8.GetBytes(text)));
    }
}
