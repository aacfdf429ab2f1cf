using KpiControl.Jobs.Artifacts;

namespace KpiControl.Jobs.Tests.Artifacts;

public sealed class ArtifactDiffTests
{
    [Fact]
    public void Fields_that_came_went_and_changed_are_told_by_their_paths_in_order() => Assert.Equal(
        [
            new FieldDifference("/a/b", "1", "2"), new FieldDifference("/a/c~1d", "\"x\"", null), new FieldDifference("/list", "[1,2]", "[2,1]"),
            new FieldDifference("/new", null, "true"),
        ],
        ArtifactDiff.Between("""{"a":{"b":1,"c/d":"x","same":0},"list":[1,2]}""", """{"a":{"b":2,"same":0},"list":[2,1],"new":true}"""));

    [Fact]
    public void Against_nothing_every_field_is_new() =>
        Assert.Equal(["/a/b", "/c"], ArtifactDiff.Between(null, """{"c":1,"a":{"b":2}}""").Select(difference => difference.Path));

    [Fact]
    public void The_same_meaning_does_not_differ() => Assert.Empty(ArtifactDiff.Between("""{"a":{}}""", """{"a":{}}"""));
}
